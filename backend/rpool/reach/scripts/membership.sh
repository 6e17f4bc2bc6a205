# shellcheck shell=sh
# What init and join have in common: finished work is left alone, half of it is undone first, and a
# member of the cluster is never undone.

# finished: kubeadm and what comes after it were done here, in this role.
finished() { done_here "$JOINED"; }

# kubeadm_ended: what comes after kubeadm may be missing, and is done again; kubeadm's own work is a
# member of the cluster by now, and is never undone here.
kubeadm_ended() { done_here "$KUBEADM_ENDED"; }

# done_here MARK: it is there, and names this role.
done_here() {
    if [ ! -e "$KUBERNETES/kubelet.conf" ]; then return 1; fi # somebody has reset it by hand
    if [ ! -e "$1" ]; then return 1; fi
    if [ "$(cat "$1")" != "$ROLE" ]; then
        die 1 "this server is in its cluster already, as $(cat "$1")"
    fi
}

# What an attempt that was cut off has left. No member is taken out of etcd: kubeadm would not mind
# the others' quorum, and only warns when it fails. Who plans this has done it (etcd-remove.sh), so
# the data that the member had here is worth nothing. kubeadm leaves it, and the virtual IP on the
# interface, where the next attempt would talk to itself.
undo_unfinished() {
    refuse_member
    found=$(traces) # what could not be looked at may be there
    if [ -z "$found" ]; then return 0; fi
    say "an earlier attempt was interrupted here: undoing it"
    quietly kubeadm reset --force --kubeconfig=/nonexistent --skip-phases=remove-etcd-member
    if [ -d /var/lib/etcd ]; then quietly find /var/lib/etcd -xdev -mindepth 1 -delete; fi
    # shellcheck disable=SC2086  # paths, one a word
    rm -rf $CNI_CONFIGURATION "$VIP_KUBECONFIG" "$API_SERVER"
    drop_vip
}

# A member has finished by definition. If its mark is gone (an old backup, a repaired file system),
# its cluster may still count on it.
refuse_member() {
    phase=$(claim_value phase)
    if [ "$phase" = bootstrapping ]; then return 0; fi
    die "$WAS_MEMBER" "Its claim says $phase, but $JOINED is not there. Its role is $ROLE."
}

# kubeadm makes etcd's folder for root alone, but leaves one that is there, such as a disk's, as it is.
close_etcd_folder() {
    if [ -d /var/lib/etcd ]; then chmod 700 /var/lib/etcd; fi
}

# put_api_server_files ENCRYPTION: the API server does not start without them. Only root reads them:
# one has keys.
put_api_server_files() {
    if [ -z "$1" ]; then die 1 "no control plane has told how Secrets are encrypted here"; fi
    mkdir -p "$API_SERVER"
    write_file "$API_SERVER/audit.yaml" "$AUDIT_POLICY"
    write_file "$API_SERVER/admission.yaml" "$ADMISSION"
    if [ -n "$OIDC_CA" ]; then write_file "$API_SERVER/oidc-ca.crt" "$OIDC_CA"; fi
    write_file "$API_SERVER/encryption.yaml" "$1"
}

# put_approver: see approver.sh.
put_approver() {
    write_file "$APPROVER.new" "$APPROVER_TEXT"
    mv -f "$APPROVER.new" "$APPROVER"
    write_file "$APPROVER_UNIT.service" "[Unit]
Description=Gives members of the cluster their kubelets' serving certificates
ConditionPathExists=$KUBERNETES/admin.conf
[Service]
Type=oneshot
TimeoutStartSec=5min
ExecStart=/bin/sh $APPROVER"
    write_file "$APPROVER_UNIT.timer" "[Unit]
Description=Every minute: ${APPROVER_UNIT##*/}.service
[Timer]
OnActiveSec=1min
OnUnitActiveSec=1min
AccuracySec=5s
[Install]
WantedBy=timers.target"
    sync "$APPROVER" "$APPROVER_UNIT.service" "$APPROVER_UNIT.timer"
    quietly systemctl daemon-reload
    quietly systemctl enable --now "${APPROVER_UNIT##*/}.timer"
}

drop_vip() {
    if [ -z "$VIP" ]; then return 0; fi
    interface=$(interface_of "$VIP")
    if [ -n "$interface" ]; then ip addr del "$VIP/32" dev "$interface"; fi
}

# vip_kubeconfig: what kube-vip speaks to the API with, and by what may be done with it
# (rights.sh) no more than to keep its lease. It lives as long as the CA: nobody renews it.
vip_kubeconfig() {
    if [ -z "$VIP" ]; then return 0; fi
    need openssl
    pki=$KUBERNETES/pki
    quietly openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "/CN=$VIP_USER" -keyout "$SECRETS/vip.key" -out "$SECRETS/vip.csr"
    printf 'extendedKeyUsage = clientAuth\n' >"$SECRETS/vip.ext"
    quietly openssl x509 -req -in "$SECRETS/vip.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" \
        -set_serial "0x$(openssl rand -hex 16)" -days 3650 -extfile "$SECRETS/vip.ext" \
        -out "$SECRETS/vip.crt"
    {
        printf 'apiVersion: v1\nkind: Config\ncurrent-context: kube-vip\nclusters:\n'
        printf -- '- name: kubernetes\n  cluster:\n    server: https://%s:6443\n' "$VIP"
        printf '    certificate-authority-data: %s\n' "$(base64 -w 0 "$pki/ca.crt")"
        printf 'contexts:\n- name: kube-vip\n  context: {cluster: kubernetes, user: kube-vip}\n'
        printf 'users:\n- name: kube-vip\n  user:\n'
        printf '    client-certificate-data: %s\n' "$(base64 -w 0 "$SECRETS/vip.crt")"
        printf '    client-key-data: %s\n' "$(base64 -w 0 "$SECRETS/vip.key")"
    } >"$VIP_KUBECONFIG.new"
    mv -fT "$VIP_KUBECONFIG.new" "$VIP_KUBECONFIG"
}

# The kubelet ignores names with a dot in front, so it never reads half a manifest.
start_vip() {
    if [ -z "$VIP" ]; then return 0; fi
    interface=$(interface_of "$NODE_ADDRESS")
    if [ -z "$interface" ]; then die 1 "no interface here has the address $NODE_ADDRESS"; fi
    mkdir -p "${VIP_MANIFEST%/*}"
    printf '%s\n' "$VIP_POD" | sed "s|@INTERFACE@|$interface|" >"${VIP_MANIFEST%/*}/.kube-vip.yaml"
    mv -f "${VIP_MANIFEST%/*}/.kube-vip.yaml" "$VIP_MANIFEST"
}

mark_kubeadm_ended() { mark "$KUBEADM_ENDED"; }

mark_finished() { mark "$JOINED"; }

mark() { write_durably "$1" "$ROLE"; }

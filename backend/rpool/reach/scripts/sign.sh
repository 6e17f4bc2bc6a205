# shellcheck shell=sh
# Has the cluster sign a client certificate, and prints it in base64. The cluster's own signer does
# it, with its own rules, where its audit log sees it: the key of the CA is not touched here. It
# changes nothing on this server, so it needs no guard.

CSR_API=/apis/certificates.k8s.io/v1/certificatesigningrequests

main() {
    need kubectl
    run_dir
    secret_dir
    end=$(($(uptime_seconds) + SIGN_SECONDS))
    write_file "$SECRETS/request.json" "$REQUEST"
    made=$(on_api create -f "$SECRETS/request.json" \
        -o 'jsonpath={.metadata.uid} {.metadata.resourceVersion}')
    approve "${made%% *}" "${made#* }"
    until signed; do
        if [ "$(uptime_seconds)" -ge "$end" ]; then
            say "it was not signed within $SIGN_SECONDS s: does kube-controller-manager run?"
            exit 124
        fi
        sleep 0.2
    done
}

on_api() { on_cluster --request-timeout=10s "$@"; }

# approve UID VERSION: the very request that was made here, which nobody has put another in place of.
approve() {
    printf '%s\n' "$APPROVAL" | sed "s/@UID@/$1/; s/@VERSION@/$2/" >"$SECRETS/approval.json"
    quietly on_api replace --raw "$CSR_API/$NAME/approval" -f "$SECRETS/approval.json"
}

# signed: prints the certificate, once it is there.
signed() {
    found=$(on_api get csr "$NAME" -o \
        'jsonpath={.status.certificate}{"\n"}{.status.conditions[*].type}{" "}{.status.conditions[*].message}')
    certificate=${found%%"
"*} said=${found#*"
"}
    case $said in
        *Denied* | *Failed*) die 1 "the cluster has not signed it: $said" ;;
    esac
    if [ -z "$certificate" ]; then return 1; fi
    printf '%s\n' "$certificate"
}

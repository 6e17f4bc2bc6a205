# shellcheck shell=sh
# Installs MetalLB as upstream publishes it, with its address pools. Its webhook comes last: it
# answers only once its pod runs, and would refuse the pools until then. What it would say of them was
# checked before (decide/rules.py).

act() {
    need kubectl
    secret_dir
    fetch "$SECRETS/metallb.yaml"
    part "$SECRETS/metallb.yaml" 0 >"$SECRETS/all-but-webhook.yaml"
    part "$SECRETS/metallb.yaml" 1 >"$SECRETS/webhook.yaml"
    apply_fetched "$SECRETS/all-but-webhook.yaml"
    set_pools
    apply_fetched "$SECRETS/webhook.yaml"
}

# part FILE WEBHOOK: of its documents those that are a webhook's configuration (1), or all others (0).
part() {
    awk -v wanted="$2" '
        function end() { if (text != "" && webhook == wanted) printf "---\n%s", text; text = ""; webhook = 0 }
        $0 == "---" { end(); next }
        $0 == "kind: ValidatingWebhookConfiguration" { webhook = 1 }
        { text = text $0 "\n" }
        END { end() }' "$1"
}

# shellcheck shell=sh
# Writes the pool's record into its cluster.

act() {
    need kubectl
    secret_dir
    write_file "$SECRETS/record.yaml" "$RECORD"
    quietly on_cluster apply --server-side --force-conflicts --field-manager=rpool \
        -f "$SECRETS/record.yaml"
}

# shellcheck shell=sh
# Lets pods onto a node again that was cordoned to leave, and stays.

act() {
    need kubectl
    secret_dir
    quietly on_cluster uncordon "$NODE"
}

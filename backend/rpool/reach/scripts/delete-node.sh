# shellcheck shell=sh
# Deletes the Node of a server that has left.

act() {
    need kubectl
    secret_dir
    quietly on_cluster delete node --ignore-not-found "$LEFT"
}

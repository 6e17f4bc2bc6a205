# shellcheck shell=sh
# Lets pods onto a node again that we cordoned to leave, and that stays.

act() {
    need kubectl
    secret_dir
    look_at "$NODE"
    give_back
}

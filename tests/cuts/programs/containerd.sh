# shellcheck shell=sh
echo containerd github.com/containerd/containerd v2.1.9 abc

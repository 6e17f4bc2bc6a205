"""A data centre on one machine: servers, a network, mirrors, and an operator's desk.

The project is about owned hardware, and nobody has a spare rack for each test run. The lab
gives servers that behave like freshly installed Debian machines (systemd, real sshd, power,
cables) in containers and network namespaces, so that real kubeadm makes real clusters on them.
Run it with `python -m lab`.
"""

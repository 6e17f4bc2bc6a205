"""The engine of rpool: Kubernetes clusters as pools of cores and memory, usable without Terraform.

The layers, top to bottom, each knowing only those below it:
`api` -> `flow` -> `decide` | `reach` -> `model` -> `errors`.
"""

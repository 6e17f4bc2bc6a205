# kubectl, with a certificate for an hour. The kubernetes and helm providers take the same values:
# docs/guides/kubeconfig.md.

variable "kubectl" {
  type        = string
  default     = "kubectl"
  description = "The program."
}

variable "manifest" {
  type        = string
  default     = "../one-cluster/web.yaml"
  description = "A file with the application."
}

ephemeral "rpool_kubeconfig" "admin" {
  cluster = rpool_cluster.demo.id
}

resource "terraform_data" "application" {
  triggers_replace = [rpool_cluster.demo.id, "sha256:${filesha256(var.manifest)}"]

  provisioner "local-exec" {
    command = <<-EOT
      set -eu
      umask 077
      file=$(mktemp)
      trap 'rm -f "$file"' EXIT
      printf '%s\n' "$KUBECONFIG_TEXT" >"$file"
      "$KUBECTL" --kubeconfig "$file" apply -f "$MANIFEST"
      "$KUBECTL" --kubeconfig "$file" rollout status deployment/hello --timeout=180s
    EOT
    environment = {
      KUBECONFIG_TEXT = ephemeral.rpool_kubeconfig.admin.kubeconfig
      KUBECTL         = var.kubectl
      MANIFEST        = var.manifest
    }
  }
}

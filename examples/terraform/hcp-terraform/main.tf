# A cluster from runs in HCP Terraform, on an agent that reaches the servers: docs/guides/hcp-terraform.md.
# Only the state is kept between runs; the servers hold the rest.

terraform {
  required_version = ">= 1.10"
  required_providers {
    rpool = {
      source  = "app.terraform.io/acme/rpool" # the organization's private registry
      version = "~> 0.1"
    }
  }
}

provider "rpool" {
  fleet = yamldecode(file("${path.module}/fleet.yaml"))
  ssh {
    user        = var.ssh_user
    private_key = var.ssh_key
  }
  dynamic "simulate" {
    for_each = var.simulated ? [1] : []
    content {}
  }
  # owner is the workspace (acme/metal-ams): what a run that was cut off began, the next one goes on with.
}

resource "rpool_cluster" "batch" {
  name               = "batch"
  kubernetes_version = "1.36.3"
  cores              = var.cores
  memory             = 4 * var.cores

  control_plane {
    servers = 3
    endpoint {
      vip = "10.1.0.200"
    }
  }
}

output "servers" {
  value = { for name, its in rpool_cluster.batch.servers : name => its.role }
}

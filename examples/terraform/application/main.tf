# A cluster and its applications, in one apply. The kubeconfig is ephemeral: it is in no state and no plan.
#
#   terraform apply -var-file=simulated.tfvars      with simulated servers; no API answers there

terraform {
  required_version = ">= 1.10"
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}

provider "rpool" {
  fleet = yamldecode(file(var.fleet_file))
  ssh {
    user        = "ops"
    private_key = var.ssh_key
  }
  dynamic "simulate" {
    for_each = var.simulated ? [1] : []
    content {}
  }
}

resource "rpool_cluster" "demo" {
  name               = "demo"
  kubernetes_version = "1.36.3"
  cores              = 32
  memory             = 128

  control_plane {
    servers = 3
    endpoint {
      vip = var.api_vip
    }
  }
  metallb {
    pools = { default = var.service_addresses }
  }
}

# Three clusters out of one fleet, by one resource.

terraform {
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}

variable "clusters" {
  type        = map(object({ vip = string, cores = number, memory = number }))
  description = "What each of them is to have, by its name."
}

provider "rpool" {
  fleet = yamldecode(file(var.fleet_file))
  ssh {
    user        = "root"
    private_key = file(var.ssh_key_file)
  }
  mirrors {
    packages        = var.mirrors.packages
    packages_key    = var.mirrors.packages_key
    images          = var.mirrors.images
    insecure_images = var.mirrors.insecure_images
    manifests       = var.mirrors.manifests
  }
}

resource "rpool_cluster" "each" {
  for_each           = var.clusters
  name               = each.key
  kubernetes_version = var.kubernetes_version
  cores              = each.value.cores
  memory             = each.value.memory
  control_plane {
    servers = 1
    endpoint {
      vip = each.value.vip
    }
  }
  kubeadm {
    kubelet                 = var.kubeadm.kubelet
    kube_proxy              = var.kubeadm.kube_proxy
    ignore_preflight_errors = var.kubeadm.ignore_preflight_errors
  }
}

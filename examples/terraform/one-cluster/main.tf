# One Kubernetes cluster out of the servers in fleet.yaml: three control planes behind a virtual IP,
# workers with the cores and memory that are asked for, LoadBalancer addresses by MetalLB.

terraform {
  required_version = ">= 1.10" # for the ephemeral variable; OpenTofu from 1.11 on
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}

provider "rpool" {
  fleet = yamldecode(file(var.fleet_file))
  ssh = {
    user        = var.ssh_user
    private_key = var.ssh_key != null ? var.ssh_key : file(var.ssh_key_file)
  }
  mirrors = var.mirrors
}

resource "rpool_cluster" "demo" {
  name               = "demo"
  kubernetes_version = var.kubernetes_version
  cores              = var.cores
  memory             = var.memory

  control_plane = {
    servers  = var.control_planes
    endpoint = { vip = var.api_vip }
  }

  selector = var.selector
  metallb  = { pools = { default = var.service_addresses } }
  kubeadm  = var.kubeadm
}

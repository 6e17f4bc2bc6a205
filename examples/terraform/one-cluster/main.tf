# One Kubernetes cluster from the servers in fleet.yaml: three control planes behind a virtual IP,
# workers with the requested cores and memory, LoadBalancer addresses from MetalLB.
#
#   terraform apply -var-file=simulated.tfvars      with the sample's servers, modelled

terraform {
  required_version = ">= 1.10" # for the ephemeral variable; OpenTofu from 1.11 on
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}

provider "rpool" {
  fleet = yamldecode(file(var.fleet_file))
  ssh {
    user        = var.ssh_user
    private_key = var.ssh_key_file == null ? var.ssh_key : file(var.ssh_key_file)
  }
  dynamic "simulate" {
    for_each = var.simulated ? [1] : []
    content {}
  }
  mirrors {
    packages        = var.mirrors.packages
    packages_key    = var.mirrors.packages_key
    images          = var.mirrors.images
    insecure_images = var.mirrors.insecure_images
    manifests       = var.mirrors.manifests
  }
}

resource "rpool_cluster" "demo" {
  name               = "demo"
  kubernetes_version = var.kubernetes_version
  cores              = var.cores
  memory             = var.memory

  control_plane {
    servers = var.control_planes
    endpoint {
      vip = var.api_vip
    }
  }
  selector {
    zones  = var.selector.zones
    labels = var.selector.labels
  }
  kubeadm {
    kubelet                 = var.kubeadm.kubelet
    kube_proxy              = var.kubeadm.kube_proxy
    ignore_preflight_errors = var.kubeadm.ignore_preflight_errors
  }
  dynamic "metallb" {
    for_each = var.service_addresses == null ? [] : [var.service_addresses]
    content {
      pools = { default = metallb.value }
    }
  }
}

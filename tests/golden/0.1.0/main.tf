# Every setting of every resource, so that a kept state has all of them: two clusters, two nodes.

terraform {
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}

provider "rpool" {
  simulate {}
  fleet = yamldecode(file("fleet.yaml"))
  owner = "golden"
}

resource "rpool_cluster" "small" {
  name               = "small"
  kubernetes_version = "1.36.3"
  cores              = 16
  memory             = 64
  control_plane {
    servers = 1
    endpoint {
      address = "small.example.org:6443"
    }
  }
}

resource "rpool_cluster" "full" {
  name               = "full"
  kubernetes_version = "1.36.3"
  cores              = 32
  memory             = 128
  trust              = "team-a"
  tolerate {
    servers = 1
  }
  control_plane {
    servers     = 3
    schedulable = false
    labels      = { tier = "control" }
    endpoint {
      vip = "10.0.1.200"
    }
    selector {
      zones = ["rack1", "rack2", "rack3"]
    }
  }
  selector {
    zones  = ["rack1", "rack2", "rack3"]
    labels = { disk = "nvme" }
  }
  workers "gpu" {
    cores  = 16
    memory = 64
    tolerate {
      zones = 0
    }
    selector {
      labels = { accelerator = "h100" }
    }
    labels = { tier = "gpu" }
    taint {
      key    = "gpu"
      value  = "true"
      effect = "NoSchedule"
    }
    taint {
      key    = "dear"
      effect = "PreferNoSchedule"
    }
  }
  networking {
    pod_cidr     = "10.60.0.0/16"
    service_cidr = "10.61.0.0/16"
    cni          = "flannel"
  }
  metallb {
    pools = {
      default = ["10.0.1.210-10.0.1.220"]
      other   = ["10.0.1.224/29"]
    }
  }
  drain {
    timeout    = "600s"
    on_timeout = "evict_anyway"
  }
  repair {
    grace    = "7m"
    mode     = "plan"
    max_lost = 2
  }
  destroy {
    on_unreachable = "abandon"
  }
  deletion_protection = false
  kubeadm {
    kubelet                 = yamlencode({ maxPods = 200 })
    kube_proxy              = yamlencode({ mode = "nftables" })
    ignore_preflight_errors = ["NumCPU"]
  }
  api_server {
    oidc {
      issuer_url      = "https://id.example.org"
      client_id       = "kubernetes"
      username_claim  = "email"
      username_prefix = "oidc:"
      groups_claim    = "groups"
      groups_prefix   = "oidc:"
    }
    audit_policy = yamlencode({ apiVersion = "audit.k8s.io/v1", kind = "Policy", rules = [{ level = "Metadata" }] })
    extra_sans   = ["full.example.org"]
    pod_security = "restricted"
    flags        = { "event-ttl" = "4h" }
  }
  timeouts {
    create = "45m"
    update = "50m"
    delete = "20m"
  }
}

resource "rpool_node" "plain" {
  cluster = rpool_cluster.small.id
  server  = "r1u07"
}

resource "rpool_node" "gpu" {
  cluster        = rpool_cluster.full.id
  cluster_ca_pin = rpool_cluster.full.ca_pin
  server         = "r2u07"
  labels         = { accelerator = "h100" }
  taint {
    key    = "gpu"
    value  = "true"
    effect = "NoSchedule"
  }
  taint {
    key    = "dear"
    effect = "PreferNoSchedule"
  }
  timeouts {
    create = "20m"
    update = "20m"
    delete = "20m"
  }
}

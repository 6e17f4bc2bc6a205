# A cluster module for the teams of a company: the settings that they share are here, once. The site
# comes with the provider, so terraform test needs no server: see tests/.

terraform {
  required_version = ">= 1.10"
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}

locals {
  sizes = {
    small = { cores = 16, memory = 64 }
    large = { cores = 48, memory = 192 }
  }
}

resource "rpool_cluster" "this" {
  name               = var.name
  kubernetes_version = var.kubernetes_version
  cores              = local.sizes[var.size].cores
  memory             = local.sizes[var.size].memory

  control_plane {
    servers = 3
    endpoint {
      vip = var.api_vip
    }
  }
  dynamic "metallb" {
    for_each = var.service_addresses == null ? [] : [var.service_addresses]
    content {
      pools = { default = metallb.value }
    }
  }
}

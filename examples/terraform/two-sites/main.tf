# One module at two sites: a provider block is a site, and each module gets its provider.
# A plan asks both sites. To plan one site while the other is down, use -target=module.ams, or
# a separate workspace for each site: ../site-per-workspace.

terraform {
  required_version = ">= 1.10"
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}

locals {
  ams = yamldecode(file("${path.module}/../sites/ams.yaml"))
  fra = yamldecode(file("${path.module}/../sites/fra.yaml"))
}

provider "rpool" {
  alias = "ams"
  fleet = local.ams.fleet
  ssh {
    user        = "ops"
    private_key = var.ssh_key_ams
  }
  dynamic "simulate" {
    for_each = var.simulated ? [1] : []
    content {}
  }
}

provider "rpool" {
  alias = "fra"
  fleet = local.fra.fleet
  ssh {
    user        = "ops"
    private_key = var.ssh_key_fra
  }
  dynamic "simulate" {
    for_each = var.simulated ? [1] : []
    content {}
  }
}

module "ams" {
  source            = "../module"
  providers         = { rpool = rpool.ams }
  name              = "web"
  size              = "small"
  api_vip           = local.ams.api_vip
  service_addresses = local.ams.service_addresses
}

module "fra" {
  source            = "../module"
  providers         = { rpool = rpool.fra }
  name              = "web"
  size              = "large"
  api_vip           = local.fra.api_vip
  service_addresses = local.fra.service_addresses
}

output "endpoints" {
  value = { ams = module.ams.endpoint, fra = module.fra.endpoint }
}

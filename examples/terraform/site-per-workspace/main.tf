# One configuration, and a workspace for each site: separate states and separate runs.
#
#   terraform workspace new ams && terraform apply
#   terraform workspace new fra && terraform apply

terraform {
  required_version = ">= 1.10"
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}

locals {
  site = yamldecode(file("${path.module}/../sites/${terraform.workspace}.yaml"))
}

provider "rpool" {
  fleet = local.site.fleet
  ssh {
    user        = "ops"
    private_key = var.ssh_key
  }
  dynamic "simulate" {
    for_each = var.simulated ? [1] : []
    content {}
  }
}

module "web" {
  source            = "../module"
  name              = "web"
  size              = var.size
  api_vip           = local.site.api_vip
  service_addresses = local.site.service_addresses
}

output "endpoint" {
  value = module.web.endpoint
}

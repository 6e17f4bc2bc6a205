# A site without internet access: everything that servers fetch comes from the site's own mirrors, and so
# does the provider (terraformrc). What the mirrors need: docs/guides/air-gap.md.
#
#   export TF_CLI_CONFIG_FILE=$PWD/terraformrc

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
  mirrors {
    packages     = "https://mirror.example.org/kubernetes" # below it v1.36/deb/, as upstream has it
    packages_key = var.packages_key                        # null: packages have upstream's signature
    images       = "https://registry.example.org"          # each image by its name without the host
    manifests    = "https://mirror.example.org/manifests"
  }
  dynamic "simulate" {
    for_each = var.simulated ? [1] : []
    content {}
  }
}

resource "rpool_cluster" "batch" {
  name               = "batch"
  kubernetes_version = "1.36.3"
  cores              = 32
  memory             = 128

  control_plane {
    servers = 3
    endpoint {
      vip = var.api_vip
    }
  }
}

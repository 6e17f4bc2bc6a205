# A cluster on twelve simulated servers: to try rpool, or a module, without any server.
#
#   Once rpool is installed (docs/guides/installing.md): terraform init && terraform apply
#
# Nothing real is touched: there is no SSH, and no API answers at the endpoint. Everything else is as
# on real servers: what is picked, what a plan says, what is refused. See docs/guides/simulated.md.

terraform {
  required_providers {
    rpool = { source = "resource-pool/rpool" }
  }
}

provider "rpool" {
  simulate {
    servers = 12 # r1u01 to r3u04: 4/16, 16/64 and 32/128 cores/GiB, in three racks
  }
}

variable "cores" {
  description = "Cores of all workers together. Change it, and see which servers join or leave."
  type        = number
  default     = 48
}

resource "rpool_cluster" "batch" {
  name               = "batch"
  kubernetes_version = "1.36.3"
  cores              = var.cores
  memory             = 4 * var.cores # GiB

  control_plane {
    servers = 3
    endpoint {
      vip = "10.0.1.200"
    }
  }
}

output "servers" {
  value = { for name, its in rpool_cluster.batch.servers : name => its.role }
}

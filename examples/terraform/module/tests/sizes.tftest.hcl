# terraform init && terraform test: each run plans or applies on modelled servers, by the rules of
# real ones, and all of it is destroyed at the end. (With a checkout's provider: without init.)

provider "rpool" {
  simulate {
    servers = 12
  }
}

variables {
  name    = "web"
  size    = "small"
  api_vip = "10.0.1.200"
}

run "a_small_cluster_has_three_control_planes_in_three_racks" {
  assert {
    condition     = length([for its in rpool_cluster.this.servers : its if its.role == "control_plane"]) == 3
    error_message = "It has: ${jsonencode(output.servers)}"
  }
  assert {
    condition     = length(toset([for its in rpool_cluster.this.servers : its.zone if its.role == "control_plane"])) == 3
    error_message = "Two control planes are in one rack."
  }
  assert {
    condition     = rpool_cluster.this.allocated_cores >= 16
    error_message = "It has fewer cores than a small cluster is to have."
  }
}

run "it_grows_in_place" {
  variables {
    size   = "large"
    before = run.a_small_cluster_has_three_control_planes_in_three_racks # for OpenTofu, too
  }
  assert {
    condition     = output.id == var.before.id
    error_message = "Another size made another cluster."
  }
  assert {
    condition     = length(setsubtract(keys(var.before.servers), keys(output.servers))) == 0
    error_message = "A server left the cluster as it grew."
  }
}

run "there_are_no_other_sizes" {
  command = plan
  variables {
    size = "huge"
  }
  expect_failures = [var.size]
}

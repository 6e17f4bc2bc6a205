# Where runs and the state are. Yours: terraform init asks for no more than terraform login gave.
terraform {
  cloud {
    organization = "acme"
    workspaces {
      name = "metal-ams"
    }
  }
}

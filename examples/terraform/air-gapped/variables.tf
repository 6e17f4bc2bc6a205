variable "fleet_file" {
  type        = string
  description = "YAML with all servers of the site: name -> address, cores, memory, zone, host_key."
}

variable "ssh_key" {
  type        = string
  default     = null
  ephemeral   = true
  description = "Private key of ops on the servers: TF_VAR_ssh_key."
}

variable "packages_key" {
  type        = string
  default     = null
  description = "Fingerprint of the key that signs the mirror's packages, where that is not upstream's."
}

variable "api_vip" {
  type        = string
  description = "A free address in the servers' network, for the Kubernetes API."
}

variable "simulated" {
  type        = bool
  default     = false
  description = "Model the servers of the fleet instead of reaching any."
}

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

variable "api_vip" {
  type        = string
  description = "A free address in the servers' network, for the Kubernetes API."
}

variable "service_addresses" {
  type        = list(string)
  description = "Free ranges there, for Services of type LoadBalancer."
}

variable "simulated" {
  type        = bool
  default     = false
  description = "Model the servers of the fleet instead of reaching any."
}

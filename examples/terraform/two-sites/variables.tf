# A key a site: who has one is root on that site's servers alone.
variable "ssh_key_ams" {
  type        = string
  default     = null
  ephemeral   = true
  description = "Private key of ops in Amsterdam: TF_VAR_ssh_key_ams."
}

variable "ssh_key_fra" {
  type        = string
  default     = null
  ephemeral   = true
  description = "Private key of ops in Frankfurt: TF_VAR_ssh_key_fra."
}

variable "simulated" {
  type        = bool
  default     = false
  description = "Model the servers of both sites instead of reaching any."
}

variable "ssh_key" {
  type        = string
  default     = null
  ephemeral   = true
  description = "Private key of ops at the workspace's site: TF_VAR_ssh_key."
}

variable "size" {
  type        = string
  default     = "small"
  description = "small or large."
}

variable "simulated" {
  type        = bool
  default     = false
  description = "Model the servers of the site instead of reaching any."
}

# Variables of the workspace.

variable "ssh_key" {
  type        = string
  default     = null
  ephemeral   = true
  description = "The key's text; sensitive in the workspace. In no state and no plan."
}

variable "ssh_user" {
  type    = string
  default = "ops"
}

variable "cores" {
  type        = number
  default     = 32
  description = "Of all workers together; four times as many GiB come with them."
}

variable "simulated" {
  type        = bool
  default     = false
  description = "Model the servers of the fleet: for one run, since no file is kept until the next."
}

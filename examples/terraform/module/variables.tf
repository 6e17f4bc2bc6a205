variable "name" {
  type        = string
  description = "Of the cluster; unique on its site."
}

variable "size" {
  type        = string
  description = "small or large."

  validation {
    condition     = contains(keys(local.sizes), var.size)
    error_message = "The sizes are: ${join(", ", keys(local.sizes))}."
  }
}

variable "api_vip" {
  type        = string
  description = "A free address in the servers' network, for the Kubernetes API."
}

variable "service_addresses" {
  type        = list(string)
  default     = null
  description = "Free ranges there, for Services of type LoadBalancer; none unless set."
}

variable "kubernetes_version" {
  type    = string
  default = "1.36.3"
}

variable "fleet_file" {
  type        = string
  description = "YAML with all servers of the site: name -> address, cores, memory, zone, host_key."
}

# Ephemeral, since a saved plan file has all other variables in clear text, sensitive ones, too.
variable "ssh_key" {
  type        = string
  default     = null
  ephemeral   = true
  description = "Private key, without a passphrase, of ssh_user on the servers: TF_VAR_ssh_key."
}

variable "ssh_key_file" {
  type        = string
  default     = null
  description = "Or a file that has it."
}

variable "ssh_user" {
  type        = string
  default     = "root"
  description = "root, or a user with sudo and no password prompt."
}

variable "simulated" {
  type        = bool
  default     = false
  description = "Model the servers of the fleet instead of reaching any."
}

variable "mirrors" {
  type = object({
    packages        = optional(string)
    packages_key    = optional(string)
    images          = optional(string)
    insecure_images = optional(bool)
    manifests       = optional(string)
  })
  default     = {}
  nullable    = false
  description = "Where packages, images and manifests come from at a site without internet access."
}

variable "kubernetes_version" {
  type    = string
  default = "1.36.3"
}

variable "cores" {
  type        = number
  default     = 24
  description = "Cores of all workload servers together."
}

variable "memory" {
  type        = number
  default     = 48
  description = "Memory of all workload servers together, in GiB."
}

variable "control_planes" {
  type        = number
  default     = 3
  description = "How many servers run Kubernetes itself: 1, 3, 5 or 7."
}

variable "selector" {
  type = object({
    zones  = optional(set(string))
    labels = optional(map(string))
  })
  default     = {}
  nullable    = false
  description = "Which servers may be picked; all of the fleet unless set."
}

variable "api_vip" {
  type        = string
  description = "A free address in the servers' network, for the Kubernetes API."
}

variable "service_addresses" {
  type        = list(string)
  description = "Free ranges in the servers' network, for Services of type LoadBalancer; null: no MetalLB."
}

variable "kubeadm" {
  type = object({
    kubelet                 = optional(string)
    kube_proxy              = optional(string)
    ignore_preflight_errors = optional(list(string))
  })
  default     = {}
  nullable    = false
  description = "Only where a site must say more to kubeadm, such as yamlencode({ ... }) for kubelet."
}

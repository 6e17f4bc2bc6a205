output "id" {
  value       = rpool_cluster.this.id
  description = "What rpool_node and rpool_kubeconfig ask for."
}

output "endpoint" {
  value       = rpool_cluster.this.endpoint
  description = "Where the Kubernetes API answers."
}

output "servers" {
  value       = { for name, server in rpool_cluster.this.servers : name => server.role }
  description = "Which servers the cluster got, and what they do in it."
}

output "endpoint" {
  value       = rpool_cluster.demo.endpoint
  description = "Where the Kubernetes API answers."
}

output "servers" {
  value       = { for name, server in rpool_cluster.demo.servers : name => server.role }
  description = "Which servers the cluster got, and what they do in it."
}

simulated         = true
fleet_file        = "../one-cluster/fleet.sample.yaml"
api_vip           = "10.0.1.200"
service_addresses = ["10.0.1.210-10.0.1.230"]
kubectl           = "true" # the program that does nothing

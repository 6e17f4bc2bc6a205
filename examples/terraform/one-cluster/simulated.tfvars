simulated         = true
fleet_file        = "fleet.sample.yaml"
api_vip           = "10.0.1.200"
service_addresses = ["10.0.1.210-10.0.1.230"]

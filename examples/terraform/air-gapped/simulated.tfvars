simulated  = true
fleet_file = "../one-cluster/fleet.sample.yaml"
api_vip    = "10.0.1.200"

#!/bin/sh
# Puts the demo's web application behind a LoadBalancer address of a cluster that by_hand.sh made,
# and asks it from the operator's desk.
# Usage: hello.sh [LAB]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
lab=${1:-lab}
cd "$here/../.."
python=${PYTHON:-python3}
first=$($python -m lab fleet --name "$lab" | sed -n '1s/:.*//p')
kubectl() { $python -m lab ssh --name "$lab" "$first" kubectl --kubeconfig /etc/kubernetes/admin.conf "$@"; }

kubectl apply --server-side -f - << 'EOF'
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello}
spec:
  replicas: 2
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      containers:
        - name: hello
          image: rpool/hello:1
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: hello}
spec:
  type: LoadBalancer
  selector: {app: hello}
  ports: [{port: 80, targetPort: 8080}]
EOF
kubectl rollout status deployment/hello --timeout 120s
kubectl wait --for "jsonpath='{.status.loadBalancer.ingress[0].ip}'" service/hello --timeout 60s
address=$(kubectl get service hello -o "jsonpath='{.status.loadBalancer.ingress[0].ip}'")
for _ in 1 2 3 4; do
    $python -m lab run --name "$lab" -- curl -fsS --max-time 10 --retry 10 --retry-all-errors --retry-delay 1 "http://$address/"
done

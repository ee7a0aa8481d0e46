//! What the steps apply.

/// The ingress controller of class `public`, with the rights that its own chart gives it.
pub const CONTROLLER: &str = include_str!("traefik.yaml");

/// A second agency, with one system.
pub const STRANGER: &str = "---
apiVersion: govcloud.io/v1alpha1
kind: AgencyTenant
metadata: {name: education}
spec:
  displayName: 教育委员会
  responsibleUnit: 信息中心
  preapproved: true
  members: [{kind: User, name: ci-education, role: Deployer}]
  quota: {requests.cpu: '4', requests.memory: 8Gi, limits.cpu: '8', limits.memory: 16Gi, pods: '40', requests.storage: '0'}
  containerDefaults: {defaultRequest: {cpu: 10m, memory: 32Mi}, default: {cpu: 100m, memory: 64Mi}}
  images: {registries: [registry.example.gov.cn/health]}
";

/// An agency among many.
pub fn agency(name: &str) -> String {
    STRANGER.replace("education", name)
}

/// A system of such an agency.
pub fn system(agency: &str, name: &str) -> String {
    format!(
        "---
apiVersion: govcloud.io/v1alpha1
kind: HostedSystem
metadata: {{name: {name}, namespace: {agency}}}
spec:
  displayName: {name}
  sector: Education
  stage: Testing
  protectionLevel: 2
  resources: {{guaranteed: {{requests.cpu: '1', requests.memory: 1Gi, pods: '5'}}}}
"
    )
}

/// Pods of the tests' own program, which no drain may evict.
pub fn workload(namespace: &str, name: &str, image: &str, arguments: &[&str]) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
      - name: pod
        image: {image}
        args: {arguments:?}
        securityContext: {{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{drop: [ALL]}}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{maxUnavailable: 0, selector: {{matchLabels: {{app: {name}}}}}}}
"
    )
}

/// The way to a workload's pods.
pub fn service(namespace: &str, name: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80, targetPort: 8080}}]}}
"
    )
}

/// The way to a Service from outside of the cluster.
pub fn ingress(namespace: &str, name: &str, host: &str) -> String {
    format!(
        "---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  ingressClassName: public
  rules:
  - host: {host}
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {name}, port: {{number: 80}}}}}}}}]}}
"
    )
}

/// A pod by itself, with or without what Pod Security `restricted` asks for.
pub fn pod(namespace: &str, image: &str, privileged: bool) -> String {
    format!(
        "---
apiVersion: v1
kind: Pod
metadata: {{name: refused, namespace: {namespace}}}
spec:
  securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
  - name: pod
    image: {image}
    resources: {{requests: {{cpu: 10m, memory: 16Mi}}, limits: {{cpu: 10m, memory: 16Mi}}}}
    securityContext: {{allowPrivilegeEscalation: {privileged}, capabilities: {{drop: [ALL]}}}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests;

    #[test]
    fn texts_are_applied_together() {
        let texts = [
            agency("one"),
            system("one", "web"),
            workload("one--web", "web", "image", &["serve"]),
            service("one--web", "web"),
            ingress("one--web", "web", "one.example.gov.cn"),
            pod("one--web", "image", false),
        ];
        let objects = manifests::parse(&texts.concat()).unwrap();
        let kinds: Vec<_> = objects.iter().map(|object| object.types.as_ref().unwrap().kind.as_str()).collect();
        assert_eq!(kinds, ["AgencyTenant", "HostedSystem", "Deployment", "PodDisruptionBudget", "Service", "Ingress", "Pod"]);
    }
}

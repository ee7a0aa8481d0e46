//! The load: agencies with members of all three roles, and systems whose shares fit.

use anyhow::Result;
use kube::ResourceExt;
use kube::core::DynamicObject;

use crate::manifests;

/// How much is set up.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Number of agencies.
    pub tenants: u32,
    /// Number of hosted systems of each.
    pub systems: u32,
}

impl Size {
    /// All hosted systems.
    #[must_use]
    pub fn all_systems(self) -> u32 {
        self.tenants * self.systems
    }

    /// All namespaces that this makes: a home for each agency, and one for each system.
    #[must_use]
    pub fn namespaces(self) -> u32 {
        self.tenants + self.all_systems()
    }
}

/// An agency and its systems, as people write them.
pub struct Agency {
    pub tenant: DynamicObject,
    pub systems: Vec<DynamicObject>,
}

impl Agency {
    /// The tenant's name, which is also that of its home namespace.
    pub fn name(&self) -> String {
        self.tenant.name_any()
    }
}

/// All agencies.
pub fn agencies(size: Size) -> Result<Vec<Agency>> {
    (1..=size.tenants).map(|number| agency(&format!("agency-{number:04}"), size.systems)).collect()
}

/// The workload namespaces and homes in an order in which neighbours are of different agencies.
pub fn namespaces(size: Size) -> Vec<String> {
    let of = |system: u32| {
        move |tenant: u32| match system {
            0 => format!("agency-{tenant:04}"),
            _ => format!("agency-{tenant:04}--system-{system:03}"),
        }
    };
    (0..=size.systems).flat_map(|system| (1..=size.tenants).map(of(system))).collect()
}

fn agency(name: &str, systems: u32) -> Result<Agency> {
    let tenant = manifests::parse(&tenant(name, systems))?.remove(0);
    let systems = (1..=systems).map(|number| Ok(manifests::parse(&system(name, number))?.remove(0))).collect::<Result<_>>()?;
    Ok(Agency { tenant, systems })
}

fn tenant(name: &str, systems: u32) -> String {
    let times = |each: u32| each * systems;
    format!(
        "apiVersion: govcloud.io/v1alpha1
kind: AgencyTenant
metadata: {{name: {name}}}
spec:
  displayName: 卫生健康委员会
  responsibleUnit: 信息中心
  preapproved: true
  members:
  - {{kind: Group, name: {name}-owners, role: Owner}}
  - {{kind: User, name: ci-{name}, role: Deployer}}
  - {{kind: Group, name: {name}-audit, role: Auditor}}
  quota:
    requests.cpu: \"{}\"
    requests.memory: {}Gi
    limits.cpu: \"{}\"
    limits.memory: {}Gi
    pods: \"{}\"
    requests.storage: {}Gi
  containerDefaults:
    defaultRequest: {{cpu: 100m, memory: 256Mi}}
    default: {{cpu: 200m, memory: 512Mi}}
  network:
    betweenSystems: Deny
    egress:
    - {{cidr: 203.0.113.0/24, ports: [443], reason: 省级平台}}
  domains: [{name}.example.gov.cn]
  images: {{registries: [registry.example.gov.cn/{name}, registry.example.gov.cn/base]}}
  allow: {{storageClasses: [standard], ingressClasses: [public]}}
  podSecurity: restricted
  deletionPolicy: Retain
",
        times(4),
        times(16),
        times(8),
        times(32),
        times(20),
        times(100),
    )
}

fn system(tenant: &str, number: u32) -> String {
    format!(
        "apiVersion: govcloud.io/v1alpha1
kind: HostedSystem
metadata: {{name: system-{number:03}, namespace: {tenant}}}
spec:
  displayName: 预约挂号统一平台
  sector: Health
  stage: Running
  protectionLevel: 3
  resources:
    guaranteed:
      requests.cpu: \"2\"
      requests.memory: 8Gi
      pods: \"20\"
      requests.storage: 100Gi
  deletionPolicy: Retain
"
    )
}

//! What no review of the table may give away: each law is a sentence, holds whatever the table says, and names one cell that would
//! break it.

use super::table::{Cell, Cells, cell};

const READS: [&str; 3] = ["get", "list", "watch"];
const MEMBERS: [&str; 4] = ["owner", "deployer", "auditor", "pipeline"];
const OURS: [&str; 3] = ["home", "own", "sibling"];
/// Every account may read with which keys the API server signs tokens.
const ISSUER: [&str; 2] = ["/.well-known/openid-configuration", "/openid/v1/jwks"];

struct Law {
    sentence: &'static str,
    breach: [&'static str; 4],
    /// Whether a cell is against it. A cell of the whole cluster counts in every place.
    broken_by: fn(&Cell) -> bool,
}

const fn law(sentence: &'static str, breach: [&'static str; 4], broken_by: fn(&Cell) -> bool) -> Law {
    Law { sentence, breach, broken_by }
}

impl Cell {
    fn is_of(&self, whos: &[&str]) -> bool {
        whos.contains(&self.who.as_str())
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.contains(&self.place.as_str())
    }

    /// One of an agency: of the one in the middle or of the other.
    fn is_of_agency(&self) -> bool {
        self.is_of(&MEMBERS) || self.is_of(&["workload", "stranger"])
    }

    fn writes(&self) -> bool {
        !READS.contains(&self.word.as_str()) && self.who != "served" && !self.is_path()
    }

    fn is_path(&self) -> bool {
        self.what.starts_with('/')
    }

    /// The resource without its group's, subresource's and object's names.
    fn resource(&self) -> &str {
        self.what.split(['.', '/', '[']).next().unwrap_or_default()
    }

    fn is_right(&self) -> bool {
        self.who != "served"
    }
}

const LAWS: &[Law] = &[
    law("no rule that is for govcloud has a *", ["platform", "cluster", "agencytenants.govcloud.io", "*"], |c| {
        c.is_right() && !c.is_path() && (c.what.contains('*') || c.word == "*")
    }),
    law("everybody asks about themselves and reads what the API is, no more", ["everybody", "cluster", "namespaces", "list"], |c| {
        c.is_of(&["everybody"]) && !(c.what.starts_with("selfsubject") && c.word == "create" || c.is_path() && c.word == "get")
    }),
    law("nobody reads metrics, logs or profiles of the API server", ["audit-admin", "cluster", "/metrics", "get"], |c| {
        c.is_path() && ["/metrics", "/logs", "/debug", "*"].iter().any(|path| c.what.starts_with(path))
    }),
    law("members read the namespaces that they are in and write none, workloads neither", ["owner", "home", "namespaces", "patch"], |c| {
        c.is_of_agency() && c.resource() == "namespaces" && (c.writes() || c.is_of(&["workload"]) || c.is_in(&["cluster"]))
    }),
    law("members read quotas and limit ranges and write none", ["owner", "own", "resourcequotas/status", "patch"], |c| {
        c.is_of_agency() && ["resourcequotas", "limitranges"].contains(&c.resource()) && c.writes()
    }),
    law(
        "members have nothing that leads traffic past the isolation: no proxy, and of services' status, endpoints and slices only reading",
        ["owner", "own", "endpointslices.discovery.k8s.io", "create"],
        |c| {
            let proxy = c.resource() == "nodes" || c.what.ends_with("/proxy");
            let leads = c.what == "services/status" || ["endpoints", "endpointslices"].contains(&c.resource());
            c.is_of_agency() && (proxy || leads && c.writes())
        },
    ),
    law(
        "members have nothing in the whole cluster but their own AgencyTenant, which they read and Owners edit",
        ["deployer", "cluster", "agencytenants.govcloud.io[matrix]", "patch"],
        |c| {
            let name = if c.who == "stranger" { "outsider" } else { "matrix" };
            let reads = c.what == format!("agencytenants.govcloud.io[{name}]") && !c.writes()
                || c.what == format!("agencytenants.govcloud.io/status[{name}]") && c.word == "get";
            let edits = c.who == "owner" && c.what == "agencytenants.govcloud.io[matrix]" && ["update", "patch"].contains(&c.word.as_str());
            let member = !c.is_of(&["pipeline", "workload"]);
            c.is_of_agency() && c.is_in(&["cluster"]) && !(member && (reads || edits))
        },
    ),
    law("members have nothing outside their own agency", ["owner", "foreign-own", "pods", "get"], |c| {
        c.is_of(&MEMBERS) && !c.is_in(&OURS) && !c.is_in(&["cluster"])
    }),
    law("another agency's Deployer has nothing here", ["stranger", "sibling", "pods", "get"], |c| {
        c.is_of(&["stranger"]) && !c.is_in(&["foreign-home", "foreign-own"]) && !(c.is_in(&["cluster"]) && c.what.ends_with("[outsider]"))
    }),
    law("the ServiceAccount that a workload runs with by default has nothing", ["workload", "own", "configmaps", "get"], |c| {
        c.is_of(&["workload"])
    }),
    law("every ServiceAccount reads the issuer's keys and trust bundles, no more", ["every account", "cluster", "pods", "get"], |c| {
        let bundles = c.what == "clustertrustbundles.certificates.k8s.io" && !c.writes();
        c.is_of(&["every account"]) && !bundles && !(ISSUER.contains(&c.what.trim_end_matches('/')) && c.word == "get")
    }),
    law(
        "a pipeline reaches its own system's namespace and at home the declarations, no other system",
        ["pipeline", "home", "secrets", "get"],
        |c| {
            let declarations = ["hostedsystems.govcloud.io", "hostedsystems.govcloud.io/status"].contains(&c.what.as_str());
            c.is_of(&["pipeline"])
                && !c.is_in(&["own"])
                && !(c.is_in(&["home"]) && declarations && c.word != "create" && c.word != "delete")
        },
    ),
    law("a requester can create a tenant, no more", ["requester", "cluster", "agencytenants.govcloud.io", "list"], |c| {
        c.is_of(&["requester"]) && !(c.is_in(&["cluster"]) && c.what == "agencytenants.govcloud.io" && c.word == "create")
    }),
    law("auditors, the agency's and the cloud's, write nothing", ["audit-admin", "cluster", "events", "create"], |c| {
        c.is_of(&["auditor", "audit-admin"]) && c.writes()
    }),
    law("nobody has secrets but who runs the workloads beside them", ["operator", "cluster", "secrets", "get"], |c| {
        let runs = c.is_of(&["owner", "deployer"]) && c.is_in(&OURS)
            || c.is_of(&["pipeline"]) && c.is_in(&["own"])
            || c.is_of(&["stranger"]) && c.is_in(&["foreign-home", "foreign-own"]);
        c.is_right() && c.resource() == "secrets" && !runs
    }),
    law("nobody but an Owner enters a pod, and nobody outside the own agency", ["deployer", "own", "pods/exec", "create"], |c| {
        let enters = ["pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers"].contains(&c.what.as_str());
        c.is_right() && enters && !(c.who == "owner" && c.is_in(&OURS))
    }),
    law("nobody is given a token but an Owner the pipeline's", ["owner", "own", "serviceaccounts/token", "create"], |c| {
        c.is_right() && c.what.starts_with("serviceaccounts/token") && !(c.who == "owner" && c.what == "serviceaccounts/token[deployer]")
    }),
    law("whoever deploys lets nobody in", ["deployer", "own", "rolebindings.rbac.authorization.k8s.io", "create"], |c| {
        c.is_of(&["deployer", "pipeline", "stranger"]) && ["roles", "rolebindings"].contains(&c.resource()) && c.writes()
    }),
    law(
        "nobody escalates, impersonates, or signs certificates",
        ["operator", "cluster", "clusterroles.rbac.authorization.k8s.io", "escalate"],
        |c| {
            let become_another = c.word == "escalate" || c.word.starts_with("impersonate");
            c.is_right() && (become_another || ["sign", "attest"].contains(&c.word.as_str()) || c.what.ends_with("/approval"))
        },
    ),
    law(
        "the operator alone binds roles, and by name those of members",
        ["operator", "cluster", "clusterroles.rbac.authorization.k8s.io", "bind"],
        |c| {
            let named = ["owner", "deployer", "auditor", "pipeline"]
                .iter()
                .any(|role| c.what == format!("clusterroles.rbac.authorization.k8s.io[govcloud:{role}]"));
            c.word == "bind" && !(c.who == "operator" && named)
        },
    ),
    law("the operator alone provisions", ["platform", "cluster", "agencytenants.govcloud.io", "provision"], |c| {
        c.word == "provision" && !c.is_of(&["operator"])
    }),
    law(
        "security administrators and the platform alone approve and assess",
        ["owner", "home", "hostedsystems.govcloud.io", "assess"],
        |c| ["approve", "assess"].contains(&c.word.as_str()) && !c.is_of(&["security-admin", "platform"]),
    ),
    law(
        "Owners, at home and in their systems, and the platform's own account alone govern",
        ["system-admin", "cluster", "hostedsystems.govcloud.io", "govern"],
        |c| c.word == "govern" && !(c.is_of(&["owner"]) && c.is_in(&OURS)) && !c.is_of(&["platform"]),
    ),
    law("nobody but the operator writes the status of a system", ["pipeline", "home", "hostedsystems.govcloud.io/status", "patch"], |c| {
        c.is_right() && c.what == "hostedsystems.govcloud.io/status" && c.writes() && c.who != "operator"
    }),
    law(
        "the platform's people write tenants, its own account systems too, and nothing else of the cluster",
        ["system-admin", "cluster", "hostedsystems.govcloud.io", "create"],
        |c| {
            let people = c.is_of(&["system-admin", "security-admin", "platform"]);
            let systems = c.what == "hostedsystems.govcloud.io" && (c.word == "assess" || c.is_of(&["platform"]));
            people && c.writes() && !(c.resource() == "agencytenants" || systems)
        },
    ),
    law(
        "the platform's people see no workloads, and its own account nothing that may hold a password by purpose",
        ["audit-admin", "cluster", "pods", "list"],
        |c| {
            let workloads = ["pods", "deployments", "statefulsets", "daemonsets", "jobs", "services", "persistentvolumeclaims"];
            let people = c.is_of(&["system-admin", "security-admin", "audit-admin"]);
            people && workloads.contains(&c.resource())
                || (people || c.is_of(&["platform"])) && (c.resource() == "configmaps" || c.what == "pods/log")
        },
    ),
    law("the operator writes no workload but ends pods, all of a namespace at once", ["operator", "cluster", "pods", "create"], |c| {
        let workloads = ["pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs", "replicationcontrollers"];
        c.is_of(&["operator"]) && workloads.contains(&c.resource()) && c.writes() && !(c.what == "pods" && c.word == "deletecollection")
    }),
    law(
        "nobody writes what rules the cluster: admission, definitions, nodes, volumes, classes, certificates, priorities",
        ["operator", "cluster", "validatingadmissionpolicies.admissionregistration.k8s.io", "update"],
        |c| {
            let groups = [
                "admissionregistration.k8s.io",
                "apiextensions.k8s.io",
                "apiregistration.k8s.io",
                "certificates.k8s.io",
                "flowcontrol.apiserver.k8s.io",
                "node.k8s.io",
                "resource.k8s.io",
                "scheduling.k8s.io",
                "storage.k8s.io",
            ];
            let ruling = ["nodes", "persistentvolumes"].contains(&c.resource()) || groups.iter().any(|group| c.what.contains(group));
            c.is_right() && ruling && c.writes()
        },
    ),
];

/// Fails with every sentence that does not hold, and with what is against it.
pub fn hold(cells: &Cells) {
    let broken: Vec<String> = LAWS
        .iter()
        .filter_map(|law| {
            let against: Vec<String> = cells
                .iter()
                .filter(|cell| (law.broken_by)(cell))
                .map(|c| format!("  {}, {}: {} {}", c.who, c.place, c.word, c.what))
                .collect();
            (!against.is_empty()).then(|| format!("{}, but:\n{}", law.sentence, against.join("\n")))
        })
        .chain(overlap(cells))
        .chain(beyond_owners(cells))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Who writes tenants does not approve them.
fn overlap(cells: &Cells) -> Option<String> {
    let writes = |who: &str| -> Vec<_> {
        let own = cells.iter().filter(|cell| cell.who == who && cell.writes());
        own.map(|cell| (cell.what.as_str(), cell.word.as_str())).collect()
    };
    let security = writes("security-admin");
    let both: Vec<_> = writes("system-admin").into_iter().filter(|write| security.contains(write)).collect();
    (!both.is_empty()).then(|| format!("what system-admin and security-admin write does not overlap, but: {both:?}"))
}

/// Nobody binds a role that holds what they lack.
fn beyond_owners(cells: &Cells) -> Option<String> {
    let lacking: Vec<_> = cells
        .iter()
        .filter(|cell| cell.is_of(&["deployer", "auditor", "pipeline"]))
        .filter(|c| !cells.contains(&cell("owner", &c.place, &c.what, &c.word)))
        .collect();
    (!lacking.is_empty()).then(|| format!("Owners have what they may give to others, but not: {lacking:?}"))
}

#[test]
fn each_law_holds_in_the_table_and_one_cell_breaks_it() {
    let accepted = super::EXPECTED.accepted();
    hold(&accepted);
    for Law { sentence, breach: [who, place, what, word], broken_by } in LAWS {
        assert!(broken_by(&cell(who, place, what, word)), "nothing is against the law that {sentence}");
    }
    let mut both = accepted;
    both.insert(cell("security-admin", "cluster", "agencytenants.govcloud.io", "delete"));
    assert!(overlap(&both).is_some() && beyond_owners(&both).is_none());
    both.insert(cell("auditor", "own", "podtemplates", "get"));
    assert!(beyond_owners(&both).is_some());
    assert!(MEMBERS.iter().all(|who| both.iter().any(|cell| cell.who == *who)), "a law over nobody says nothing");
}

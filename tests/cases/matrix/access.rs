//! What the API server's authorizer allows: the rules that it gives for everybody in every place, spelt out over everything that it
//! serves, and checked by single questions.
//!
//! RBAC judges a request by the same list of rules that a `SelfSubjectRulesReview` returns, so the list is all of it, resources that
//! discovery does not know included. That list is read here by the few lines of `spell`; that they read it as the API server
//! does, and that no other authorizer has a say, is what `confirm` asks: a `SubjectAccessReview` for every cell of the table, and of what is
//! denied for every resource, by everybody, in every third place, with the verbs taking turns.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use acceptance::ControlPlane;
use futures::{StreamExt, stream};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use kube::{Api, Client};

use super::{
    table::{Cells, cell},
    world::{CLUSTER, PLACES, PRINCIPALS, Place, Principal},
};

/// What a `*` stands for, and what is asked about.
const VERBS: [&str; 18] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "bind",
    "escalate",
    "impersonate",
    "use",
    "approve",
    "sign",
    "attest",
    "assess",
    "govern",
    "provision",
];
/// Questions at a time.
const AT_ONCE: usize = 32;

/// A resource or subresource, perhaps one object alone, or a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct What {
    group: String,
    resource: String,
    subresource: String,
    name: String,
    path: String,
}

impl What {
    fn new(group: &str, resource: &str, name: &str) -> Self {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let [group, resource, subresource, name] = [group, resource, subresource, name].map(str::to_owned);
        Self { group, resource, subresource, name, path: String::new() }
    }

    /// The same of all objects.
    pub fn of_all(&self) -> Self {
        Self { name: String::new(), ..self.clone() }
    }
}

/// As `kubectl auth can-i` takes it, with the object's name in brackets.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |prefix: &str, text: &str| if text.is_empty() { String::new() } else { format!("{prefix}{text}") };
        let name = if self.name.is_empty() { String::new() } else { format!("[{}]", self.name) };
        write!(f, "{}{}{}{}{name}", self.path, self.resource, with(".", &self.group), with("/", &self.subresource))
    }
}

pub type Rights = BTreeSet<(What, String)>;

/// Everything that the API server serves.
#[derive(PartialEq)]
pub struct Served(BTreeMap<What, bool>);

impl Served {
    /// Resources and subresources of all groups and versions, and whether they are in namespaces.
    pub async fn ask(client: &Client) -> Self {
        let lists = [client.list_core_api_versions_aggregated().await.unwrap(), client.list_api_groups_aggregated().await.unwrap()];
        let mut served = BTreeMap::new();
        for group in lists.into_iter().flat_map(|list| list.items) {
            let name = group.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
            for resource in group.versions.into_iter().flat_map(|version| version.resources) {
                let plural = resource.resource.unwrap_or_default();
                let namespaced = resource.scope.as_deref() == Some("Namespaced");
                served.insert(What::new(&name, &plural, ""), namespaced);
                for subresource in resource.subresources.into_iter().filter_map(|subresource| subresource.subresource) {
                    served.insert(What::new(&name, &format!("{plural}/{subresource}"), ""), namespaced);
                }
            }
        }
        assert!(served.len() > 100, "discovery lists {} resources and subresources", served.len());
        Self(served)
    }

    /// Whether the API server serves it.
    pub fn has(&self, what: &What) -> bool {
        self.0.contains_key(&what.of_all())
    }

    /// How people name it: with its group, and without where it is the only one of its name.
    pub fn names(&self, what: &What) -> Vec<String> {
        let what = what.of_all();
        let bare = What { group: String::new(), ..what.clone() };
        let same = self.0.keys().filter(|other| (&other.resource, &other.subresource) == (&what.resource, &what.subresource)).count();
        [what.to_string()].into_iter().chain((same == 1).then(|| bare.to_string())).collect()
    }

    /// A row for each resource, with its subresources: one that is new is a difference.
    fn rows(&self) -> Cells {
        let row = |(what, namespaced): (&What, &bool)| {
            let whole = What { subresource: String::new(), ..what.clone() };
            let itself = if what.subresource.is_empty() { "itself" } else { &what.subresource };
            cell("served", if *namespaced { "in namespaces" } else { "in the cluster" }, &whole.to_string(), itself)
        };
        self.0.iter().map(row).collect()
    }
}

/// What one rule allows, with every `*` both as it stands and spelt out.
pub fn spell(rule: &ResourceRule, served: &Served) -> Rights {
    let every = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let (groups, resources, mut names) = (every(&rule.api_groups), every(&rule.resources), every(&rule.resource_names));
    if names.is_empty() {
        names.push(String::new());
    }
    let mut rights = Rights::new();
    for (group, resource) in groups.iter().flat_map(|group| resources.iter().map(move |resource| (group, resource))) {
        let literal = What::new(group, resource, "");
        let meant = |what: &&What| {
            let whole = format!("{}/{}", what.resource, what.subresource);
            let fits =
                resource == "*" || whole.trim_end_matches('/') == *resource || resource.strip_prefix("*/") == Some(&what.subresource);
            fits && (group == "*" || *group == what.group)
        };
        let wild = group == "*" || resource.contains('*');
        let whats = served.0.keys().filter(|_| wild).filter(meant).chain([&literal]);
        for (what, name) in whats.flat_map(|what| names.iter().map(move |name| (what, name))) {
            let what = What { name: name.clone(), ..what.clone() };
            let all = rule.verbs.iter().any(|verb| verb == "*").then_some(VERBS);
            let verbs = rule.verbs.iter().map(String::as_str).chain(all.into_iter().flatten());
            rights.extend(verbs.map(|verb| (what.clone(), verb.to_owned())));
        }
    }
    rights
}

/// Who may do what where.
pub struct Access {
    served: Served,
    rights: BTreeMap<(&'static str, &'static str), Rights>,
}

impl Access {
    /// Asks for everybody's rules in every place.
    pub async fn ask(plane: &ControlPlane) -> Self {
        let served = Served::ask(&plane.client().await.unwrap()).await;
        let mut rights = BTreeMap::new();
        for principal in &PRINCIPALS {
            let client = principal.sign_in(plane).await.client;
            let asked = PLACES.iter().map(|place| rules(client.clone(), place, &served));
            for (place, found) in PLACES.iter().zip(futures::future::join_all(asked).await) {
                rights.insert((principal.key, place.key), found);
            }
        }
        Self { served, rights }
    }

    /// Asks until two answers a moment apart are the same: a binding takes effect a moment after it is written.
    pub async fn settled(plane: &ControlPlane) -> Self {
        let mut last = Self::ask(plane).await;
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let next = Self::ask(plane).await;
            if next.rights == last.rights && next.served == last.served {
                return next;
            }
            last = next;
        }
    }

    /// As the table has it: in a place only what is not allowed in the whole cluster, for somebody only what is not everybody's. RBAC
    /// only ever adds, so nothing is lost by that.
    pub fn cells(&self) -> Cells {
        let mut cells = self.served.rows();
        for (who, place) in self.rights.keys() {
            cells.extend(self.own(who, place).iter().map(|(what, verb)| cell(who, place, &what.to_string(), verb)));
        }
        cells
    }

    fn own(&self, who: &str, place: &str) -> Rights {
        let rights = &self.rights[&(who, place)];
        let base = PRINCIPALS.iter().find(|principal| principal.key == who).and_then(|principal| principal.base);
        let bases = [base.map(|base| (base, place)), (place != CLUSTER).then_some((who, CLUSTER))];
        let inherited: Rights = bases.into_iter().flatten().flat_map(|base| self.rights[&base].clone()).collect();
        assert!(inherited.is_subset(rights), "{who} lacks in {place} what they have everywhere: {:?}", &inherited - rights);
        rights - &inherited
    }

    /// Asks the authorizer question by question whether this is what it decides; gives the number of questions.
    pub async fn confirm(&self, client: &Client) -> usize {
        let mut questions = Vec::new();
        for (turn, (principal, place)) in
            PRINCIPALS.iter().flat_map(|principal| PLACES.iter().map(move |place| (principal, place))).enumerate()
        {
            let rights = &self.rights[&(principal.key, place.key)];
            let own = self.own(principal.key, place.key);
            questions.extend(
                rights.iter().filter(|right| own.contains(right)).map(|(what, verb)| (principal, place, what, verb.as_str(), true)),
            );
            for (index, what) in self.served.0.keys().enumerate().filter(|(index, _)| (index + turn) % 3 == 0) {
                let verb = VERBS[(index / 3 + turn * 7) % VERBS.len()];
                if !rights.contains(&(what.clone(), verb.to_owned())) {
                    questions.push((principal, place, what, verb, false));
                }
            }
        }
        let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
        let number = questions.len();
        let answers = stream::iter(questions).map(|(principal, place, what, verb, expected)| {
            let reviews = &reviews;
            async move {
                let answer = reviews.create(&Default::default(), &question(principal, place, what, verb)).await.unwrap();
                let allowed = answer.status.unwrap().allowed;
                (allowed != expected).then(|| format!("{}, {}: {verb} {what}: allowed is {allowed}", principal.key, place.key))
            }
        });
        let wrong: Vec<String> = answers.buffer_unordered(AT_ONCE).filter_map(|wrong| async { wrong }).collect().await;
        assert!(wrong.is_empty(), "the API server decides otherwise than its rules read here:\n{}", wrong.join("\n"));
        number
    }
}

async fn rules(client: Client, place: &Place, served: &Served) -> Rights {
    let reviews: Api<SelfSubjectRulesReview> = Api::all(client);
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(place.namespace.to_owned()) };
    let review = SelfSubjectRulesReview { spec, ..Default::default() };
    let status = reviews.create(&Default::default(), &review).await.unwrap().status.unwrap();
    let mut rights: Rights = status.resource_rules.iter().flat_map(|rule| spell(rule, served)).collect();
    for rule in status.non_resource_rules {
        for path in rule.non_resource_urls.unwrap_or_default() {
            rights.extend(rule.verbs.iter().map(|verb| (What { path: path.clone(), ..What::default() }, verb.clone())));
        }
    }
    rights
}

fn question(principal: &Principal, place: &Place, what: &What, verb: &str) -> SubjectAccessReview {
    let text = |text: &str| Some(text.to_owned());
    let mut spec = SubjectAccessReviewSpec { user: text(principal.user), groups: Some(principal.all_groups()), ..Default::default() };
    if what.path.is_empty() {
        let namespace = if place.key == CLUSTER { "" } else { place.namespace };
        spec.resource_attributes = Some(ResourceAttributes {
            group: text(&what.group),
            resource: text(&what.resource),
            subresource: text(&what.subresource),
            name: text(&what.name),
            namespace: text(namespace),
            verb: text(verb),
            ..Default::default()
        });
    } else {
        spec.non_resource_attributes = Some(NonResourceAttributes { path: text(&what.path), verb: text(verb) });
    }
    SubjectAccessReview { spec, ..Default::default() }
}

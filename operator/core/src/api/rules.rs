//! CEL rules of the schema. Each message names field, value, limit and cure; the API server puts the field before it.
//!
//! Rules over the whole object are judged again at every write, also of status and finalizers. They spare what was stored
//! before they were there, or such an object could be neither told what is wrong with it nor deleted; the intent checks it.

use kube::core::{Message, Rule};

use super::common::{MAX_CHARACTERS, NEEDED_BY_PODS, WITHOUT_PODS};
use super::objects::{MAX_OBJECTS, OBJECT_CAPS};

/// A rule whose message is an expression.
fn rule(holds: impl Into<String>, message: impl Into<String>) -> Rule {
    Rule::new(holds.into()).message(Message::Expression(message.into()))
}

/// A rule over the whole object that is judged only where `changed` is so, or the object is new.
fn root_rule(unchanged: &str, holds: &str, field: &str, message: &str) -> Rule {
    let spared = format!("oldSelf.hasValue() && ({unchanged}) || ({holds})");
    Rule { optional_old_self: Some(true), ..rule(spared, message).field_path(field) }
}

/// Names of tenants (at most 30 characters) and systems (at most 31).
pub(super) fn name(what: &str, longest: usize) -> Rule {
    let holds = format!(
        "self.metadata.name.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$') && !self.metadata.name.contains('--') && self.metadata.name.size() <= {longest}"
    );
    let message = format!(
        "\"'\" + self.metadata.name + \"' is not a {what} name; use 1 to {longest} lower-case letters, digits and single hyphens, beginning with a letter\""
    );
    root_rule("true", &holds, ".metadata.name", &message)
}

/// Names that are Kubernetes' own, or ours.
pub(super) fn unreserved_name() -> Rule {
    root_rule(
        "true",
        "!self.metadata.name.startsWith('kube-') && !self.metadata.name.startsWith('openshift') \
         && !self.metadata.name.startsWith('govcloud') && !self.metadata.name.endsWith('-system') && self.metadata.name != 'default'",
        ".metadata.name",
        "\"'\" + self.metadata.name + \"' is reserved (kube-*, openshift*, govcloud*, *-system, default); choose the agency's own name\"",
    )
}

/// The form of a UID, as the API server gives them out.
pub(super) fn uid() -> Rule {
    rule(
        "self.matches('^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')",
        "\"'\" + self + \"' is not a UID; copy it from the message of condition Ready, where its reason is OrphanOf\"",
    )
}

/// `ServiceAccounts` are members of their own agency only. Nothing is put together for each member: API servers before Kubernetes 1.37
/// estimate that as too expensive, and refuse the definition.
pub(super) fn own_service_accounts() -> Rule {
    root_rule(
        "oldSelf.value().spec.members == self.spec.members",
        "self.spec.members.all(m, m.kind != 'ServiceAccount' || !has(m.__namespace__) || m.__namespace__ == '' \
         || m.__namespace__.split('--')[0] == self.metadata.name)",
        ".spec.members",
        "\"a ServiceAccount of a namespace that is not the agency's; name only those of '\" + self.metadata.name \
         + \"' and '\" + self.metadata.name + \"--<system>'\"",
    )
}

/// No subject of Kubernetes itself.
pub(super) fn no_system_subject() -> Rule {
    rule(
        "!self.name.startsWith('system:')",
        "\"'\" + self.name + \"' belongs to Kubernetes itself and would let in more than one agency; name a user or group of the agency\"",
    )
    .field_path(".name")
}

/// A subject's name is one.
pub(super) fn subject_name() -> Rule {
    rule(
        "self.name.trim() == self.name && !self.name.matches('[\\\\p{Cc}\\\\p{Cf}]') && (self.kind != 'ServiceAccount' || !format.dns1123Subdomain().validate(self.name).hasValue())",
        "\"'\" + self.name + \"' is not the name of a user, group or ServiceAccount; write it as the API server authenticates it\"",
    )
    .field_path(".name")
}

/// A subject's name is short enough for the lists in which guard rails read it: they count bytes, and the schema characters.
pub(super) fn subject_bytes() -> Rule {
    Rule::new("bytes(self.name).size() <= 253")
        .message("has more than 253 bytes; a name has at most 253 bytes in UTF-8")
        .field_path(".name")
}

/// No subject stands twice among the members: its role would be either.
pub(super) fn each_subject_once() -> Rule {
    let place = |member: &str| format!("(has({member}.__namespace__) ? {member}.__namespace__ : '')");
    let same = format!("o.kind == m.kind && o.name == m.name && {} == {}", place("o"), place("m"));
    Rule::new(format!("self.all(m, self.exists_one(o, {same}))"))
        .message("a member is named more than once; name each member once, with one role")
}

/// The defaults of the counts of objects, as a CEL map.
fn object_defaults() -> String {
    let entries: Vec<String> = OBJECT_CAPS.iter().map(|cap| format!("'{}': {}", cap.name, cap.default)).collect();
    format!("{{{}}}", entries.join(", "))
}

/// Kinds of objects whose number is bounded.
pub(super) fn known_objects() -> Rule {
    let names: Vec<&str> = OBJECT_CAPS.iter().map(|cap| cap.name).collect();
    let known = format!("['{}']", names.join("', '"));
    rule(
        format!("self.all(k, k in {known})"),
        format!("'unknown kind ' + self.filter(k, !(k in {known}))[0] + '; use {}'", names.join(", ")),
    )
}

/// Counts of objects are raised, and not without bound.
pub(super) fn raised_objects() -> Rule {
    let defaults = object_defaults();
    let wrong = format!("k in {defaults} && (self[k] < {defaults}[k] || self[k] > {MAX_OBJECTS})");
    rule(
        format!("!self.exists(k, {wrong})"),
        format!(
            "self.filter(k, {wrong})[0] + ' is not between its default and {MAX_OBJECTS}; write a number between the two (kubectl explain \
             agencytenant.spec.objects names the defaults), or leave it out'"
        ),
    )
}

/// A namespace goes with a `ServiceAccount`, and with nothing else.
pub(super) fn subject_namespace() -> Rule {
    rule(
        "(self.kind == 'ServiceAccount') == (has(self.__namespace__) && self.__namespace__ != '')",
        "\"'\" + (has(self.__namespace__) ? self.__namespace__ : '') + \"' does not go with the kind of member '\" + self.name \
         + \"'; a ServiceAccount needs its namespace, a User or Group has none\"",
    )
    .field_path(".namespace")
}

/// Text for people: not blank, on one line, in one direction.
pub(super) fn plain_text() -> Rule {
    Rule::new(r"self.trim() != '' && !self.matches('[\\p{Cc}\\p{Cf}]')")
        .message("is blank or holds control characters; write it in plain words on one line")
}

/// What is no domain: `d` is one in lower case, of two labels at least.
const NO_DOMAIN: &str = "!(d.matches('^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$'))";

/// Domains are domains.
pub(super) fn domains() -> Rule {
    rule(
        format!("!self.exists(d, {NO_DOMAIN})"),
        format!(
            "\"'\" + self.filter(d, {NO_DOMAIN})[0] + \"' is not a domain; write it in lower case, without wildcard, for example health.example.gov.cn\""
        ),
    )
}

/// What is no registry: `r` is a host, which has a dot or a port or is localhost, and segments of a path.
const NO_REGISTRY: &str = "!(r.matches('^([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+(:[0-9]{1,5})?\
    |[a-z0-9]([a-z0-9-]*[a-z0-9])?:[0-9]{1,5}|localhost)(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*$'))";

/// Registries are registries.
pub(super) fn registries() -> Rule {
    rule(
        format!("!self.exists(r, {NO_REGISTRY})"),
        format!(
            "\"'\" + self.filter(r, {NO_REGISTRY})[0] + \"' is not a registry; write its host and if wanted a path, in lower case, \
             without tag, for example registry.example.gov.cn/health\""
        ),
    )
}

/// What is no name of a class that an agency may be given.
const NO_CLASS: &str = "(format.dns1123Subdomain().validate(c).hasValue() || c.startsWith('system-'))";

/// Classes are named as Kubernetes names them, and are none of its own.
pub(super) fn class_names() -> Rule {
    rule(
        format!("!self.exists(c, {NO_CLASS})"),
        format!(
            "\"'\" + self.filter(c, {NO_CLASS})[0] + \"' is not a class that an agency may have; write the name of one that the cluster \
             offers, none of Kubernetes' own (system-*)\""
        ),
    )
}

/// Names of classes and pools are short enough together for the annotations of the namespaces.
pub(super) fn names_together() -> Rule {
    let lists = ["storageClasses", "ingressClasses", "priorityClasses", "runtimeClasses", "nodePools"];
    let characters = lists.map(|list| format!("(has(self.{list}) ? self.{list}.join('').size() : 0)")).join(" + ");
    // No number in the message: a sum costs as much as the budget of all rules together.
    let message = format!("all names together have more than {MAX_CHARACTERS} characters; list fewer classes and pools, or shorter names");
    Rule::new(format!("{characters} <= {MAX_CHARACTERS}")).message(message.as_str())
}

/// What is no label `p` of a pool that an agency may be given.
const NO_POOL: &str = "(!p.contains('=') || format.qualifiedName().validate(p.split('=', 2)[0]).hasValue() \
    || format.labelValue().validate(p.split('=', 2)[1]).hasValue() \
    || p.split('=', 2)[0] in ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'])";

/// Pools are labels of nodes, and none of the control plane's.
pub(super) fn node_pools() -> Rule {
    rule(
        format!("!self.exists(p, {NO_POOL})"),
        format!(
            "\"'\" + self.filter(p, {NO_POOL})[0] + \"' is not a pool of nodes that an agency may have; write the label of its nodes as \
             key=value, for example pool=gpu, none of the control plane's\""
        ),
    )
}

/// What a key `k` of a total or a share may be: a standard key, or `requests.<domain>/<resource>` for a device.
const KNOWN_KEY: &str = "(k in ['requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory', 'requests.storage', \
    'requests.ephemeral-storage', 'limits.ephemeral-storage', 'pods', 'persistentvolumeclaims'] || (k.size() <= 100 \
    && k.matches('^requests\\\\.([a-z0-9]([a-z0-9-]*[a-z0-9])?\\\\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$')))";

/// Keys of a total or a share.
pub(super) fn known_keys() -> Rule {
    rule(
        format!("self.all(k, {KNOWN_KEY})"),
        format!(
            "'unknown key ' + self.filter(k, !{KNOWN_KEY})[0] + '; use requests.cpu, requests.memory, limits.cpu, limits.memory, \
             requests.storage, requests.ephemeral-storage, limits.ephemeral-storage, pods, persistentvolumeclaims, or \
             requests.<domain>/<resource> for a device, for example requests.nvidia.com/gpu'"
        ),
    )
}

/// A resource `r` whose limit is below its request.
const LIMIT_BELOW_REQUEST: &str = "('requests.' + r in self && 'limits.' + r in self \
    && isQuantity(string(self['requests.' + r])) && isQuantity(string(self['limits.' + r])) \
    && quantity(string(self['requests.' + r])).compareTo(quantity(string(self['limits.' + r]))) > 0)";

/// A limit is not below the request of the same resource.
pub(super) fn limits_cover_requests() -> Rule {
    let resources = "['cpu', 'memory', 'ephemeral-storage']";
    rule(
        format!("!{resources}.exists(r, {LIMIT_BELOW_REQUEST})"),
        format!(
            "{resources}.filter(r, {LIMIT_BELOW_REQUEST}).map(r, 'limits.' + r + ': ' + string(self['limits.' + r]) + ' is below the ' \
             + string(self['requests.' + r]) + ' of requests.' + r + '; raise the limit or lower the request')[0]"
        ),
    )
}

/// A key `k` whose amount should be a count and is none.
const BROKEN_COUNT: &str = "((k in ['pods', 'persistentvolumeclaims'] || k.contains('/')) \
    && isQuantity(string(self[k])) && !quantity(string(self[k])).isInteger())";

/// Counts are whole.
pub(super) fn whole_counts() -> Rule {
    rule(
        format!("!self.exists(k, {BROKEN_COUNT})"),
        format!(
            "self.filter(k, {BROKEN_COUNT}).map(k, k + ': ' + string(self[k]) + ' is a count and no whole number; write for example 400')[0]"
        ),
    )
}

/// A total leaves out nothing without which no pod could run.
pub(super) fn complete_total() -> Rule {
    let keys = "['requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory', 'pods']";
    rule(
        format!("{keys}.all(k, k in self)"),
        format!(
            "{keys}.filter(k, !(k in self))[0] + ' is missing; a total names at least requests.cpu, requests.memory, limits.cpu, \
             limits.memory and pods'"
        ),
    )
}

/// A share that names anything that pods use names all that each pod uses.
pub(super) fn usable_share() -> Rule {
    let needed = format!("['{}']", NEEDED_BY_PODS.join("', '"));
    let used =
        "k in ['pods', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'] || k.startsWith('requests.') && k.contains('/')";
    rule(
        format!("!self.exists(k, {used}) || {needed}.all(k, k in self)"),
        format!("{needed}.filter(k, !(k in self))[0] + ' is missing, {WITHOUT_PODS}'"),
    )
}

/// A container's default request is not above its default limit.
pub(super) fn default_covers_request(resource: &str) -> Rule {
    let (request, limit) = (format!("string(self.defaultRequest.{resource})"), format!("string(self.default.{resource})"));
    rule(
        format!("!isQuantity({request}) || !isQuantity({limit}) || quantity({request}).compareTo(quantity({limit})) <= 0"),
        format!(
            "'defaultRequest.{resource}: ' + {request} + ' is above the ' + {limit} + ' of default.{resource}; lower the request or raise the limit'"
        ),
    )
}

/// Address ranges are ranges.
pub(super) fn range() -> Rule {
    rule("isCIDR(self)", "\"'\" + self + \"' is not an address range; write an address and its prefix length, for example 203.0.113.0/24\"")
}

/// And begin where they say.
pub(super) fn first_address() -> Rule {
    rule(
        "!isCIDR(self) || cidr(self) == cidr(self).masked()",
        "\"'\" + self + \"' has bits set behind its prefix; write the first address of the range, for example 203.0.113.0/24\"",
    )
}

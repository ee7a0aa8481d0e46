//! Where the API server is, learnt from Service and `EndpointSlice` `default/kubernetes`: the address of the Service and those of
//! the servers behind it. Some network plugins judge a packet before the Service's address is replaced by a server's, some after.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use serde_json::Value;

/// Namespace of the two objects.
pub const NAMESPACE: &str = "default";
/// Name of both.
pub const NAME: &str = "kubernetes";

/// What of the API server is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its Service.
    Service,
    /// The addresses behind it; a cluster may do without such an object.
    Endpoints,
}

/// What is known of each part; none as long as nobody has looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiServer {
    service: Option<BTreeSet<SocketAddr>>,
    endpoints: Option<BTreeSet<SocketAddr>>,
}

impl ApiServer {
    /// Takes in an object. Whether the addresses are others now. An object without addresses says nothing: it is about to be
    /// filled, or to be replaced.
    pub fn take(&mut self, part: Part, object: &Value) -> bool {
        let read = match part {
            Part::Service => service(object),
            Part::Endpoints => endpoints(object),
        };
        let known = self.part(part);
        if read.is_empty() || known.as_ref() == Some(&read) {
            return false;
        }
        *known = Some(read);
        true
    }

    /// Notes that a part was looked for. What was known of it stays, also when it is gone: it is put back with what it was.
    pub fn looked(&mut self, part: Part) {
        self.part(part).get_or_insert_default();
    }

    fn part(&mut self, part: Part) -> &mut Option<BTreeSet<SocketAddr>> {
        match part {
            Part::Service => &mut self.service,
            Part::Endpoints => &mut self.endpoints,
        }
    }

    /// Every address; none as long as not all of them are known.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match (&self.service, &self.endpoints) {
            (Some(service), Some(endpoints)) => service.union(endpoints).copied().collect(),
            _ => Vec::new(),
        }
    }
}

/// Reads addresses as the guard rails do. Example: `10.96.0.1/32=443/TCP,192.0.2.7/32=6443/TCP`.
#[must_use]
pub fn read(text: &str) -> Vec<SocketAddr> {
    let entry = |entry: &str| {
        let (range, port) = entry.split_once('=')?;
        let address = range.split('/').next()?.parse().ok()?;
        Some(SocketAddr::new(address, port.split('/').next()?.parse().ok()?))
    };
    text.split(',').filter_map(entry).collect()
}

fn service(object: &Value) -> BTreeSet<SocketAddr> {
    let spec = &object["spec"];
    pairs(spec["clusterIPs"].as_array().into_iter().flatten(), &spec["ports"])
}

fn endpoints(object: &Value) -> BTreeSet<SocketAddr> {
    let endpoints = object["endpoints"].as_array().into_iter().flatten();
    pairs(endpoints.flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten()), &object["ports"])
}

/// Each address with each port.
fn pairs<'a>(addresses: impl Iterator<Item = &'a Value>, ports: &Value) -> BTreeSet<SocketAddr> {
    let ports = ports.as_array().into_iter().flatten().filter_map(|port| port["port"].as_u64()?.try_into().ok());
    let ports: Vec<u16> = ports.collect();
    let addresses = addresses.filter_map(|address| address.as_str()?.parse::<IpAddr>().ok());
    addresses.flat_map(|address| ports.iter().map(move |port| SocketAddr::new(address, *port)).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn addresses(server: &ApiServer) -> Vec<String> {
        server.addresses().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn both_forms_of_the_address_are_learnt_and_none_before_both_were_looked_for() {
        let mut server = ApiServer::default();
        let service = json!({"spec": {"clusterIPs": ["10.96.0.1", "fd00::1"], "ports": [{"port": 443}]}});
        assert!(server.take(Part::Service, &service));
        assert_eq!(addresses(&server), [""; 0]);
        server.looked(Part::Endpoints);
        assert_eq!(addresses(&server), ["10.96.0.1:443", "[fd00::1]:443"]);
        let slice = |address: &str| json!({"endpoints": [{"addresses": [address]}], "ports": [{"port": 6443}]});
        assert!(server.take(Part::Endpoints, &slice("192.0.2.7")));
        assert!(!server.take(Part::Endpoints, &slice("192.0.2.7")), "the same again is no news");
        assert!(server.take(Part::Endpoints, &slice("192.0.2.8")));
        assert_eq!(addresses(&server), ["10.96.0.1:443", "192.0.2.8:6443", "[fd00::1]:443"]);
    }

    #[test]
    fn what_is_gone_or_empty_stays_known() {
        let mut server = ApiServer::default();
        server.looked(Part::Endpoints);
        server.take(Part::Service, &json!({"spec": {"clusterIPs": ["10.96.0.1"], "ports": [{"port": 443}]}}));
        for empty in
            [json!({}), json!({"spec": {"clusterIPs": ["None"], "ports": [{"port": 443}]}}), json!({"spec": {"clusterIPs": ["10.96.0.1"]}})]
        {
            assert!(!server.take(Part::Service, &empty), "{empty}");
        }
        server.looked(Part::Service);
        assert_eq!(addresses(&server), ["10.96.0.1:443"]);
    }

    #[test]
    fn addresses_are_read_as_they_are_written_for_the_guard_rails() {
        let read: Vec<String> =
            read("10.96.0.1/32=443/TCP,fd00::1/128=6443/TCP,,x=1,10.0.0.1/32").iter().map(ToString::to_string).collect();
        assert_eq!(read, ["10.96.0.1:443", "[fd00::1]:6443"]);
    }
}

//! Gauges of each agency and system, written anew at each scrape: none is kept between two.

use std::fmt::{Error, Write};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, text::encode_registry},
    metrics::MetricType,
    registry::Registry,
};

use crate::cluster::store::{AgencyFigures, TenantFigures};

/// Appends them to a text.
pub fn append(text: &mut impl Write, agencies: Vec<AgencyFigures>) -> Result<(), Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Agencies(agencies)));
    encode_registry(text, &registry)
}

#[derive(Debug)]
struct Agencies(Vec<AgencyFigures>);

impl Collector for Agencies {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), Error> {
        let tenants = || self.0.iter().filter_map(|figures| Some((figures.agency.as_str(), figures.tenant.as_ref()?)));
        let systems = || self.0.iter().flat_map(|figures| figures.systems.iter().map(move |system| (figures.agency.as_str(), system)));
        let agency = |agency: &'_ str| [("agency", agency.to_owned())];
        let system = |agency: &str, system: &str| [("agency", agency.to_owned()), ("system", system.to_owned())];
        let is = |value: bool| i64::from(value);
        family(
            &mut encoder,
            "govcloud_agency_ready",
            "1 where the agency tenant is Ready, 0 where not",
            tenants().map(|(name, tenant)| (agency(name), is(tenant.ready))),
        )?;
        family(
            &mut encoder,
            "govcloud_agency_stage",
            "1 for the stage that holds of an agency tenant",
            tenants().map(|(name, tenant)| ([("agency", name.to_owned()), ("stage", tenant.stage.to_owned())], 1)),
        )?;
        family(
            &mut encoder,
            "govcloud_agency_request_age_seconds",
            "Seconds for which a request of the agency waits for an approver; absent where none does",
            tenants().filter_map(|(name, tenant)| Some((agency(name), tenant.request_age?))),
        )?;
        family(
            &mut encoder,
            "govcloud_agency_owners",
            "Members of the agency's contract that are Owners",
            tenants().map(|(name, tenant)| (agency(name), count(tenant.owners))),
        )?;
        family(
            &mut encoder,
            "govcloud_agency_quota",
            "Quota of the agency by resource, in cores, bytes or pieces: its total, what is given to systems, and what pods use",
            tenants().flat_map(|(name, tenant)| amounts(name, tenant)),
        )?;
        family(
            &mut encoder,
            "govcloud_agency_retained_namespaces",
            "Namespaces that are kept though the agency or system that they are of was deleted",
            self.0.iter().map(|figures| (agency(&figures.agency), count(figures.retained))),
        )?;
        family(
            &mut encoder,
            "govcloud_system_ready",
            "1 where the hosted system is Ready, 0 where not",
            systems().map(|(name, of)| (system(name, &of.system), is(of.ready))),
        )?;
        family(
            &mut encoder,
            "govcloud_system_stage",
            "1 for the stage that holds of a hosted system",
            systems().map(|(name, of)| {
                let [agency, system] = system(name, &of.system);
                ([agency, system, ("stage", of.stage.to_owned())], 1)
            }),
        )?;
        family(
            &mut encoder,
            "govcloud_system_pods_refused",
            "1 where pods of the hosted system are refused, 0 where not",
            systems().map(|(name, of)| (system(name, &of.system), is(of.refused))),
        )
    }
}

/// The amounts of an agency, with their labels.
fn amounts<'a>(name: &'a str, tenant: &'a TenantFigures) -> impl Iterator<Item = ([(&'static str, String); 3], f64)> + 'a {
    let labels = move |key: &str, figure: &str| [("agency", name.to_owned()), ("resource", key.to_owned()), ("figure", figure.to_owned())];
    tenant.quota.iter().flat_map(move |(key, [total, given, used])| {
        [("total", *total), ("given", *given), ("used", *used)].map(|(figure, amount)| (labels(key, figure), amount))
    })
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes gauges of one name.
fn family<Labels: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    values: impl Iterator<Item = (Labels, impl EncodeGaugeValue)>,
) -> Result<(), Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in values {
        family.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

//! What is the same for all tenants: the operator's settings, the cluster's classes, and where the API server is.

use govcloud_core::{
    model::{
        api_server::{self, Part},
        names::{ANNOTATION_SETTINGS, LEASE_NAME},
        settings::Settings,
    },
    views::defaults::DefaultClasses,
};
use k8s_openapi::api::{coordination::v1::Lease, networking::v1::IngressClass, storage::v1::StorageClass};
use kube::{Api, ResourceExt, api::ListParams, core::ApiResource};

use super::{
    super::{
        object::Object,
        streams::{Listed, Source},
        watch::resource,
    },
    Live,
};
use crate::error::Error;

/// The same in words, for those who may not read it.
const OF_THE_CLUSTER: &str = "the operator's settings, the cluster's classes and the addresses of the API server";

impl Live {
    /// Reads what is the same for all tenants: default classes, priority and runtime classes, and where the API server is.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn cluster(&mut self) -> Result<(), Error> {
        for source in [Source::PriorityClasses, Source::RuntimeClasses] {
            for class in self.all(&resource(source)).await? {
                self.take(source, &class);
            }
        }
        for part in [Part::Service, Part::Endpoints] {
            let source = Source::ApiServer(part);
            let api = Api::<Object>::namespaced_with(self.client.clone(), api_server::NAMESPACE, &resource(source));
            let found = api.get_opt(api_server::NAME).await;
            let Some(found) = self.of_the_cluster(found)? else { continue };
            if let Some(object) = &found {
                self.take(source, object);
            }
            for store in [&self.now, &self.then] {
                store.listed(source, &Listed::new()); // none is there, or it was taken in
            }
        }
        let (storage, ingress) = (ApiResource::erase::<StorageClass>(&()), ApiResource::erase::<IngressClass>(&()));
        let [storage, ingress] = [self.all(&storage).await?, self.all(&ingress).await?];
        let plain = |classes: &[Object]| classes.iter().map(|class| class.json().clone()).collect::<Vec<_>>();
        self.defaults = DefaultClasses::read(&plain(&storage), &plain(&ingress));
        Ok(())
    }

    /// The settings of the operator, as the replica that leads has written them to its lease; none where there is none, or it may not
    /// be read.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn settings(&mut self) -> Result<Option<Settings>, Error> {
        let leases =
            Api::<Lease>::all(self.client.clone()).list(&ListParams::default().fields(&format!("metadata.name={LEASE_NAME}"))).await;
        let leases = self.of_the_cluster(leases)?.map(|list| list.items).unwrap_or_default();
        let mut texts = leases.iter().filter_map(|lease| lease.annotations().get(ANNOTATION_SETTINGS));
        Ok(texts.find_map(|text| serde_json::from_str(text).ok()))
    }

    /// All objects of a kind in cluster scope.
    async fn all(&mut self, kind: &ApiResource) -> Result<Vec<Object>, Error> {
        let list = Api::<Object>::all_with(self.client.clone(), kind).list(&ListParams::default()).await;
        Ok(self.of_the_cluster(list)?.map(|list| list.items).unwrap_or_default())
    }

    /// An answer of what is the same for all tenants; of all that one may not ask, one note.
    fn of_the_cluster<T>(&mut self, answer: kube::Result<T>) -> Result<Option<T>, Error> {
        match answer.map_err(Error::from) {
            Ok(found) => Ok(Some(found)),
            Err(Error::Refused { .. }) => {
                self.unread.insert(OF_THE_CLUSTER.to_owned());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

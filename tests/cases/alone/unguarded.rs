//! No unguarded moment.

use super::{Alone, process::Process};
use crate::history::History;

#[tokio::test]
async fn nobody_is_let_in_before_every_guard_stands() {
    let alone = Alone::turn().await;
    let operator = alone.start().await;
    let admin = alone.admin().await;
    // It is usually so quick to bring a quota into force that nobody would notice an operator that does not.
    let halted = Process::component(alone.plane, "kube-controller-manager").unwrap().halt();
    let mut history = History::begin(&admin).await;
    admin.tenant_with_systems("moment", &["db", "web"]).await;
    history.catch_up(&admin, |tenant| tenant == "moment").await;
    drop(halted);
    for namespace in ["moment", "moment--db", "moment--web"] {
        let let_in = history.of("RoleBinding", namespace).next().unwrap_or_else(|| panic!("nobody is let into {namespace}")).version;
        let mut levels = history
            .of("Namespace", namespace)
            .map(|revision| &revision.object.as_ref().unwrap()["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]);
        assert!(levels.all(|level| level == "restricted"), "{namespace}");
        assert!(history.at(let_in, "Namespace", namespace, namespace).is_some(), "{namespace}");
        // What the guard rails read is there as well.
        let rails = &history.at(let_in, "Namespace", namespace, namespace).unwrap()["metadata"];
        assert_eq!(rails["labels"]["govcloud.io/tenant"], "moment", "{namespace}");
        for annotation in ["govcloud.io/image-registries", "govcloud.io/domains", "govcloud.io/members", "govcloud.io/protected-ranges"] {
            assert!(rails["annotations"][annotation].is_string(), "{namespace} has no {annotation} when somebody is let in");
        }
        assert!(
            history.at(let_in, "NetworkPolicy", namespace, "govcloud-isolation").is_some(),
            "{namespace} is not isolated when somebody is let in"
        );
        let quota = history
            .at(let_in, "ResourceQuota", namespace, "govcloud-quota")
            .unwrap_or_else(|| panic!("{namespace} has no quota when somebody is let in"));
        assert!(quota["spec"]["hard"].as_object().is_some_and(|hard| !hard.is_empty()), "{quota:#}");
        assert_eq!(quota["status"]["hard"], quota["spec"]["hard"], "{namespace}");
    }
    operator.stop().await.unwrap();
}

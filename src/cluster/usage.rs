//! What the pods of a namespace use, as the cluster's metrics API tells: one request, bounded, for as many as there are.

use std::time::Duration;

use kube::Client;
use serde::Deserialize;

use super::{
    error::Class,
    request::{self, JSON, escape},
};
use crate::model::{
    key::{ClusterId, PodKey, Text},
    usage::{NoReading, Reading, Usage, thousandths},
};

/// The largest answer read: some ten thousand pods.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Time for it: there is a next time soon.
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    items: Vec<Item>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    metadata: Meta,
    containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    usage: Quantities,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Quantities {
    cpu: String,
    memory: String,
}

/// Reads what the pods of a namespace use.
pub async fn read(client: &Client, cluster: &ClusterId, namespace: &Text) -> Reading {
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods", escape(namespace));
    let answer = request::get(client, &path, JSON, MOST_BYTES, DEADLINE).await;
    let answer = answer.and_then(|bytes| request::decode::<List>(&bytes));
    let pods = match answer {
        Ok(list) => Ok(list.items.iter().map(|item| usage(cluster, namespace, item)).collect()),
        Err(error) => Err(match error.class {
            Class::NotFound => NoReading::NotServed,
            Class::Forbidden => NoReading::Forbidden(error.message.into()),
            _ => NoReading::Failing(error.message.into()),
        }),
    };
    Reading { cluster: cluster.clone(), namespace: namespace.clone(), pods }
}

fn usage(cluster: &ClusterId, namespace: &Text, item: &Item) -> (PodKey, Usage) {
    let sum = |of: fn(&Quantities) -> &str| -> u64 {
        item.containers.iter().filter_map(|container| thousandths(of(&container.usage))).sum()
    };
    let key =
        PodKey { cluster: cluster.clone(), namespace: namespace.clone(), name: item.metadata.name.as_str().into() };
    (key, Usage { cpu: sum(|usage| &usage.cpu), memory: sum(|usage| &usage.memory) / 1000 })
}

use std::fmt::Debug;

use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

/// Objects of a page where each may be a megabyte, as pools with thousands of records are.
pub(crate) const FEW: u32 = 50;

/// Hands over all objects of a kind as the API server has them now, as many at a time as a page has: that bounds what
/// objects of a megabyte take in memory, here and there.
pub(crate) async fn each<K>(api: &Api<K>, page: u32, mut take: impl FnMut(K)) -> kube::Result<()>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut parameters = ListParams::default().limit(page);
    loop {
        let list = api.list(&parameters).await?;
        list.items.into_iter().for_each(&mut take);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(()),
        }
    }
}

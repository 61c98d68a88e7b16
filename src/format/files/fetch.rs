//! Files below a URL.

use std::rc::Rc;

use web_sys::AbortSignal;

use super::gguf_names::with_parts;
use super::{Listed, ModelDir, check_file_name, is_gguf};
use crate::error::{Code, Result};
use crate::format::source::{ByteSource, FetchSource};
use crate::future::LocalFuture;

/// A model directory on a server, or the URL of a `.gguf` file, including its other parts if it is split.
#[derive(Clone, Debug)]
pub struct FetchDir {
    name: String,
    /// The part of the URL before the file's name, including the slash.
    base: String,
    /// The part of the URL after the file's name, such as `?download=true`.
    query: String,
    /// The only files that belong to the model, if the URL is that of a `.gguf` file.
    only: Option<Vec<String>>,
    signal: Option<AbortSignal>,
}

impl FetchDir {
    /// Refers to the directory or `.gguf` file at `url`. `signal` stops every download from it.
    pub fn new(url: &str, signal: Option<AbortSignal>) -> Self {
        let path_end = url.find(['?', '#']).unwrap_or(url.len());
        let (path, rest) = url.split_at(path_end);
        let query = rest.split('#').next().unwrap_or_default().to_owned();
        let path = path.trim_end_matches('/');
        let (before, last) = match path.rsplit_once('/') {
            Some((before, last)) => (format!("{before}/"), last),
            None => (String::new(), path),
        };
        let name = if last.is_empty() { url } else { last }.to_owned();
        if is_gguf(last) {
            FetchDir { name, base: before, query, only: Some(with_parts(last)), signal }
        } else {
            FetchDir { name, base: format!("{path}/"), query, only: None, signal }
        }
    }
}

impl ModelDir for FetchDir {
    fn name(&self) -> &str {
        &self.name
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>> {
        Box::pin(async move {
            match &self.only {
                // These names came from the URL and may be percent-encoded, so they are not checked.
                Some(only) if only.iter().any(|name| name == file) => {}
                Some(_) => return Ok(None),
                None => check_file_name(&self.name, file)?,
            }
            let url = format!("{}{file}{}", self.base, self.query);
            let source = FetchSource::open(file, &url, self.signal.clone()).await?;
            Ok(source.map(|source| Rc::new(source) as Rc<dyn ByteSource>))
        })
    }

    fn listing(&self) -> Option<Vec<Listed>> {
        let listed = |name: &String| Listed { name: name.clone(), size: None };
        self.only.as_ref().map(|only| only.iter().map(listed).collect())
    }

    fn absence(&self) -> Code {
        Code::Network
    }
}

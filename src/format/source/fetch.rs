//! Files on an HTTP server, read with range requests (RFC 9110, section 14).

use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, Request, RequestInit, Response};

use super::{ByteSource, check_range, reason};
use crate::error::{Error, Result, bail, err};
use crate::future::LocalFuture;

/// Maximum size in bytes of a file that is downloaded whole from a server without range requests.
pub const WHOLE_LIMIT: u64 = 8 << 20;

/// Size of the first request in bytes. It covers most headers and configurations.
const FIRST_RANGE: u64 = 256 << 10;

/// Pauses before a request is repeated, in milliseconds.
const RETRY_AFTER: [i32; 2] = [500, 2000];

/// A file at a URL. Only its beginning is kept in memory; every further read is a range request.
///
/// This works in a page and in a worker. Servers that ignore `Range` are tolerated for files of up
/// to [`WHOLE_LIMIT`] bytes. Longer files are an error, because they would be downloaded again for
/// every read.
#[derive(Debug)]
pub struct FetchSource {
    name: String,
    url: String,
    /// An access token of the server.
    token: Option<String>,
    signal: Option<AbortSignal>,
    len: u64,
    /// The beginning of the file, or the whole file if the server ignores `Range`.
    head: Vec<u8>,
    etag: Option<String>,
}

impl FetchSource {
    /// Requests the beginning and the length of the file. Returns `None` if the server has no such
    /// file.
    ///
    /// # Errors
    /// `network` if the server does not answer, answers with a failure, or ignores `Range` for a
    /// file longer than [`WHOLE_LIMIT`]; `aborted` if `signal` is aborted.
    pub async fn open(name: &str, url: &str, signal: Option<AbortSignal>) -> Result<Option<Self>> {
        FetchSource::open_with_token(name, url, None, signal).await
    }

    /// Does the same, and sends an access token to the server. A browser does not send it on to
    /// another server that the request is redirected to (Fetch standard, HTTP-redirect fetch).
    ///
    /// # Errors
    /// The errors of [`FetchSource::open`].
    pub async fn open_with_token(
        name: &str,
        url: &str,
        token: Option<String>,
        signal: Option<AbortSignal>,
    ) -> Result<Option<Self>> {
        let mut source = FetchSource {
            name: name.to_owned(),
            url: url.to_owned(),
            token,
            signal,
            len: 0,
            head: Vec::new(),
            etag: None,
        };
        let response = source.request("GET", Some((0, FIRST_RANGE))).await?;
        source.etag = header(&response, "etag");
        match response.status() {
            404 | 410 => return Ok(None),
            206 => {
                if let Some(start) = content_range_start(&response).filter(|&start| start != 0) {
                    source.cancel(&response);
                    bail!(Network, "{name}: expected bytes from 0 of {url}, found {start}");
                }
                source.len = match content_range_total(&response) {
                    Some(total) => total,
                    // A server of another origin may hide Content-Range, but never Content-Length.
                    None => source.content_length().await?,
                };
                source.head = source.body(&response, FIRST_RANGE).await?;
                source.len = source.len.max(source.head.len() as u64);
            }
            // An empty file has no ranges, so its length is 0.
            416 => {}
            200 => {
                // Development servers answer a request for a missing file with their start page.
                if header(&response, "content-type").is_some_and(|kind| kind.starts_with("text/html")) {
                    return Ok(None);
                }
                source.head = source.body(&response, WHOLE_LIMIT).await?;
                source.len = source.head.len() as u64;
            }
            status => bail!(Network, "{name}: expected status 206 from {url}, found {status}"),
        }
        Ok(Some(source))
    }

    /// Requests the length of the file with a HEAD request.
    async fn content_length(&self) -> Result<u64> {
        let response = self.request("HEAD", None).await?;
        match header(&response, "content-length").and_then(|value| value.parse().ok()) {
            Some(len) if response.ok() => Ok(len),
            _ => bail!(
                Network,
                "{}: expected a length from {}, found none; the server must expose Content-Range or send Content-Length",
                self.name,
                self.url
            ),
        }
    }

    /// Sends a request. If the connection or the server fails, it pauses and tries again.
    async fn request(&self, method: &str, range: Option<(u64, u64)>) -> Result<Response> {
        let mut pauses = RETRY_AFTER.iter();
        loop {
            let answer = self.request_once(method, range).await;
            let temporary = match &answer {
                Ok(response) => matches!(response.status(), 408 | 429 | 500 | 502 | 503 | 504),
                Err(_) => true,
            };
            if self.aborted() {
                return Err(self.failure(&JsValue::UNDEFINED));
            }
            match pauses.next() {
                Some(&pause) if temporary => {
                    sleep(pause).await;
                }
                _ => return answer.map_err(|error| self.failure(&error)),
            }
        }
    }

    async fn request_once(
        &self,
        method: &str,
        range: Option<(u64, u64)>,
    ) -> std::result::Result<Response, JsValue> {
        let init = RequestInit::new();
        init.set_method(method);
        init.set_signal(self.signal.as_ref());
        // The browser's cache has to ask the server whether what it has is still right. Without this, an
        // answer 410 would be kept for good.
        Reflect::set(&init, &"cache".into(), &"no-cache".into())?;
        let headers = Headers::new()?;
        if let Some((offset, len)) = range {
            headers.set("Range", &format!("bytes={offset}-{}", offset + len - 1))?;
        }
        if let Some(token) = &self.token {
            headers.set("Authorization", &format!("Bearer {token}"))?;
        }
        init.set_headers_headers(&headers);
        let request = Request::new_with_str_and_init(&self.url, &init)?;
        // Both a page and a worker have a global `fetch`; their global scopes have different types.
        let global = js_sys::global();
        let fetch: Function = property(&global, "fetch")?.dyn_into()?;
        let answer: Promise = fetch.call1(&global, &request)?.dyn_into()?;
        JsFuture::from(answer).await?.dyn_into()
    }

    /// Reads the body in chunks, so that a body longer than `limit` is cancelled and never held.
    async fn body(&self, response: &Response, limit: u64) -> Result<Vec<u8>> {
        let stated = header(response, "content-length").and_then(|value| value.parse::<u64>().ok());
        // The stated length of a compressed response is not the length of the body.
        let uncompressed = header(response, "content-encoding").is_none();
        if let Some(stated) = stated.filter(|&stated| uncompressed && stated > limit) {
            self.cancel(response);
            return Err(self.too_long(limit, &stated.to_string()));
        }
        let reader = property(response.as_ref(), "body")
            .and_then(|body| call(&body, "getReader"))
            .map_err(|error| self.failure(&error))?;
        let mut bytes = Vec::new();
        loop {
            let step = read_step(&reader).await.map_err(|error| self.failure(&error))?;
            let Some(chunk) = step else { return Ok(bytes) };
            if bytes.len() as u64 + u64::from(chunk.length()) > limit {
                let _ = call(&reader, "cancel");
                return Err(self.too_long(limit, "more"));
            }
            bytes.extend(chunk.to_vec());
        }
    }

    /// Cancels the download of a body that is not needed.
    fn cancel(&self, response: &Response) {
        let _ = property(response.as_ref(), "body").and_then(|body| call(&body, "cancel"));
    }

    fn too_long(&self, limit: u64, found: &str) -> Error {
        err!(
            Network,
            "{}: expected at most {limit} bytes from {}, found {found}; longer files need a server that answers \
             Range requests with status 206",
            self.name,
            self.url
        )
    }

    fn aborted(&self) -> bool {
        self.signal.as_ref().is_some_and(AbortSignal::aborted)
    }

    /// Converts the reason of a rejected promise to an error.
    fn failure(&self, error: &JsValue) -> Error {
        if self.aborted() {
            return err!(Aborted, "{}: the download was stopped", self.name);
        }
        err!(Network, "{}: {}: {}", self.name, self.url, reason(error))
    }

    async fn fetch_range(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let response = self.request("GET", Some((offset, len as u64))).await?;
        if response.status() != 206 {
            self.cancel(&response);
            let (url, status) = (&self.url, response.status());
            bail!(
                Network,
                "{}: expected status 206 for {len} bytes at {offset} from {url}, found {status}",
                self.name
            );
        }
        let etag = header(&response, "etag");
        if etag.is_some() && self.etag.is_some() && etag != self.etag {
            self.cancel(&response);
            bail!(Network, "{}: {} was replaced while it was being read", self.name, self.url);
        }
        if let Some(start) = content_range_start(&response)
            && start != offset
        {
            self.cancel(&response);
            bail!(Network, "{}: expected bytes from {offset} of {}, found {start}", self.name, self.url);
        }
        self.body(&response, len as u64).await
    }
}

impl ByteSource for FetchSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            check_range(&self.name, offset, len, self.len)?;
            if self.aborted() {
                return Err(self.failure(&JsValue::UNDEFINED));
            }
            let from_head =
                usize::try_from(offset).ok().and_then(|from| self.head.get(from..from.checked_add(len)?));
            if let Some(bytes) = from_head {
                return Ok(bytes.to_vec());
            }
            let bytes = self.fetch_range(offset, len).await?;
            check_range(&self.name, offset, len, offset + bytes.len() as u64)?;
            Ok(bytes)
        })
    }
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).ok().flatten()
}

/// The total length in a Content-Range header, such as 1234 in `bytes 0-99/1234`, if it is present.
fn content_range_total(response: &Response) -> Option<u64> {
    header(response, "content-range")?.rsplit_once('/')?.1.trim().parse().ok()
}

/// The start in a Content-Range header, such as 0 in `bytes 0-99/1234`, if it is present.
fn content_range_start(response: &Response) -> Option<u64> {
    header(response, "content-range")?.trim().strip_prefix("bytes")?.trim().split_once('-')?.0.parse().ok()
}

/// Reads the next chunk of a stream. Returns `None` at its end.
async fn read_step(reader: &JsValue) -> std::result::Result<Option<Uint8Array>, JsValue> {
    let promise: Promise = call(reader, "read")?.dyn_into()?;
    let step = JsFuture::from(promise).await?;
    if property(&step, "done")?.is_truthy() {
        return Ok(None);
    }
    Ok(Some(property(&step, "value")?.dyn_into()?))
}

/// Waits for this time. Returns at once if there is no timer.
async fn sleep(milliseconds: i32) {
    let promise = Promise::new(&mut |resolve, _| {
        let timer = property(&js_sys::global(), "setTimeout").and_then(JsCast::dyn_into::<Function>);
        let set =
            timer.and_then(|set| set.call2(&JsValue::UNDEFINED, &resolve, &JsValue::from(milliseconds)));
        if set.is_err() {
            let _ = resolve.call0(&JsValue::UNDEFINED);
        }
    });
    let _ = JsFuture::from(promise).await;
}

fn property(object: &JsValue, name: &str) -> std::result::Result<JsValue, JsValue> {
    Reflect::get(object, &JsValue::from_str(name))
}

fn call(object: &JsValue, name: &str) -> std::result::Result<JsValue, JsValue> {
    property(object, name)?.dyn_into::<Function>()?.call0(object)
}

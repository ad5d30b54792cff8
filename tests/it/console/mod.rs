//! The console's pages, read as a browser reads them: over the router, with cookies and forms.

mod browser;
mod encrypting;
mod pages;
mod signing_in;

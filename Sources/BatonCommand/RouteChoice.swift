import KexecRelocation

/// The way that a load takes, and why.
struct RouteChoice {
  let route: LoadRoute
  let reason: String

  init(_ route: LoadRoute, because reason: String) {
    self.route = route
    self.reason = reason
  }

  /// A staged load.
  init(_ staging: Staging) {
    let reason =
      if staging.isInPlace {
        "nothing is left to move"
      } else if staging.isComplete {
        "the stage moves what cannot run in place"
      } else {
        "the region holds a part, and the running kernel moves the rest"
      }
    self.init(.crashKernel, because: reason)
  }

  /// The first line of a listing.
  var text: String { "  via " + route.text + ": " + reason + "\n" }
}

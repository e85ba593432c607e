"""Every GraphQL document we send. A field unknown to the account's schema fails its whole document, so each asks
for what is needed and no more, and a test holds each against the schema."""

SALE = """
fragment SaleFields on Sale {
  id externalId title status currency closingTimeCountdown isTestSale
  dates { openDate closingDate }
}
"""

ITEM = """
fragment ItemFields on SaleItem {
  id externalId title description itemNumber status reserve startingBid currentBid leaderId reserveStatus totalBids
  dates { openDate closingStart closingEnd }
  images { id url order externalId }
}
"""

ORDER = """
fragment OrderFields on PaymentOrder {
  id saleId userId status invoiceId paymentId
  shippingAddress { name phone line1 line2 city state postalCode country }
  orderLines { orderLineId amount item { ... on SaleItem { id } ... on Item { id } } }
}
"""

REVISION = """
query Revision { __type(name: "Mutation") { fields { name } } }
"""

ACCOUNT_FEES = """
query AccountFees($a: String!) {
  account(accountId: $a) {
    id
    paymentDetails { accountFees { name type value lowerLimit upperLteLimit } }
  }
}
"""

CREATE_SALE = (
    SALE
    + """
mutation CreateSale($a: String!, $input: CreateSaleInput!) {
  createSale(accountId: $a, input: $input) { ...SaleFields }
}
"""
)

READ_SALE = (
    SALE
    + """
query ReadSale($a: String!, $id: ID!, $kind: SaleIDType!) {
  sale(accountId: $a, id: $id, saleIdType: $kind) { ...SaleFields }
}
"""
)

SALES = (
    SALE
    + """
query Sales($a: String!, $after: String, $filter: SaleFilter!) {
  sales(accountId: $a, first: 50, after: $after, filter: $filter) {
    edges { node { ...SaleFields } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
)

PUBLISH_SALE = """
mutation PublishSale($a: String!, $input: PublishSaleInput!) {
  publishSale(accountId: $a, input: $input) { id status }
}
"""

CREATE_ITEM = (
    ITEM
    + """
mutation CreateItem($a: String!, $input: SaleItemInput!) {
  createItemForSale(accountId: $a, input: $input) { ...ItemFields }
}
"""
)

UPDATE_ITEM = (
    ITEM
    + """
mutation UpdateItem($a: String!, $input: UpdateSaleItemInput!) {
  updateItemForSale(accountId: $a, input: $input) { ...ItemFields }
}
"""
)

REMOVE_ITEM = """
mutation RemoveItem($a: String!, $input: RemoveSaleItemInput!) {
  removeItemFromSale(accountId: $a, input: $input) { id }
}
"""

ITEMS = (
    ITEM
    + """
query Items($a: String!, $sale: ID!, $after: String) {
  sale(accountId: $a, id: $sale) {
    id
    status
    items(first: 50, after: $after) {
      edges { node { ...ItemFields } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
)

UPLOAD_URL = """
mutation UploadUrl($a: String!, $input: CreateUploadUrlInput!) {
  createUploadUrl(accountId: $a, input: $input) {
    imageId uploadUrl imageUrl order externalId
    headers { key value }
  }
}
"""

POLICIES = """
query Policies($a: String!, $after: String) {
  saleRegistrationPolicies(accountId: $a, first: 50, after: $after) {
    edges { node { id code rule } }
    pageInfo { hasNextPage endCursor }
  }
}
"""

CREATE_POLICY = """
mutation CreatePolicy($a: String!, $input: CreateSaleRegistrationPolicyInput!) {
  createSaleRegistrationPolicy(accountId: $a, input: $input) { id code rule }
}
"""

ATTACH_POLICIES = """
mutation AttachPolicies($a: String!, $input: AttachSaleRegistrationPoliciesInput!) {
  attachSaleRegistrationPolicies(accountId: $a, input: $input) { id code rule }
}
"""

SALE_POLICIES = """
query SalePolicies($a: String!, $sale: ID!) {
  sale(accountId: $a, id: $sale) {
    id
    registrationPolicies(first: 50) { edges { node { id code rule } } pageInfo { hasNextPage endCursor } }
  }
}
"""

CREATE_ORDER = (
    ORDER
    + """
mutation CreateOrder($a: String!, $input: CreateOrderInput!) {
  createOrder(accountId: $a, input: $input) { ...OrderFields }
}
"""
)

USER_ORDERS = (
    ORDER
    + """
query UserOrders($a: String!, $user: String!, $after: String) {
  userOrders(accountId: $a, userID: $user, first: 50, after: $after) {
    edges { node { ...OrderFields } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
)

PUBLISH_ORDER = """
mutation PublishOrder($a: String!, $input: PublishPaymentOrderInput!) {
  publishPaymentOrder(accountId: $a, input: $input) { id status }
}
"""

CANCEL_ORDER = """
mutation CancelOrder($a: String!, $input: CancelPaymentOrderInput!) {
  cancelPaymentOrder(accountId: $a, input: $input) { id status }
}
"""

RECORD_INVOICE = """
mutation RecordInvoice($a: String!, $input: CreateInvoiceInput!) {
  createInvoice(accountId: $a, input: $input) { invoiceId externalID }
}
"""

RECORD_PAYMENT = """
mutation RecordPayment($a: String!, $input: CreatePaymentInput!) {
  createPayment(accountId: $a, input: $input) { paymentId }
}
"""

#: `user.profile` is null for most accounts; an update that changes nothing answers with the profile.
USER = """
mutation User($a: String!, $input: UpdateUserInput!) {
  updateUser(accountId: $a, input: $input) {
    userId name email
    shippingAddress { name phone line1 line2 city state postalCode country }
    addressesV2 { addressType name phone line1 line2 city state postalCode country }
  }
}
"""

HOOKS = """
query Hooks($a: String!) { actionHookSubscriptions(accountId: $a) { action url } }
"""

ADD_HOOK = """
mutation AddHook($a: String!, $input: ActionHookSubscriptionInput!) {
  addActionHookSubscription(accountId: $a, input: $input) { action url }
}
"""

FAILED_HOOKS = """
query FailedHooks($a: String!) {
  actionHookLogs(accountId: $a, first: 20, filter: {statuses: [FAILED]}) { edges { node { action url createdAt } } }
}
"""

EVERY: dict[str, str] = {
    name: document
    for name, document in sorted(globals().items())
    if name.isupper() and isinstance(document, str) and name not in ("SALE", "ITEM", "ORDER")
}

"""Every GraphQL document sent to Shopify, for Admin API 2026-10.

Of the people who order none asks for more than country, province and postal code that an order goes to.
"""

API_VERSION = "2026-10"

PROBE = """
query Probe {
  shop { name }
  currentAppInstallation { accessScopes { handle } }
  locations(first: 250) {
    nodes { id name isActive fulfillsOnlineOrders isFulfillmentService shipsInventory }
  }
}
"""

LISTINGS = """
query Listings($first: Int!, $after: String, $location: ID!) {
  productVariants(first: $first, after: $after, sortKey: ID) {
    nodes {
      sku
      displayName
      requiresComponents
      inventoryItem {
        id
        tracked
        inventoryLevel(locationId: $location) { isActive quantities(names: ["available"]) { name quantity } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

LEVELS = """
query Levels($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      tracked
      inventoryLevel(locationId: $location) { isActive quantities(names: ["available"]) { name quantity } }
    }
  }
}
"""

_STATE = """
fragment State on Order {
  updatedAt
  cancelledAt
  displayFinancialStatus
  displayFulfillmentStatus
  currentSubtotalLineItemsQuantity
}
"""

_LINE_ITEM = """
fragment Line on LineItem {
  id
  quantity
  currentQuantity
  unfulfilledQuantity
  sku
  name
  variant { inventoryItem { id tracked } }
}
"""

ORDERS = (
    """
query Orders($ids: [ID!]!, $first: Int!) {
  nodes(ids: $ids) {
    ... on Order {
      id
      name
      createdAt
      test
      shippingAddress { countryCodeV2 provinceCode zip }
      ...State
      lineItems(first: $first) { nodes { ...Line } pageInfo { hasNextPage endCursor } }
    }
  }
}
"""
    + _STATE
    + _LINE_ITEM
)

MORE_LINES = (
    """
query MoreLines($id: ID!, $first: Int!, $after: String!) {
  order(id: $id) {
    ...State
    lineItems(first: $first, after: $after) { nodes { ...Line } pageInfo { hasNextPage endCursor } }
  }
}
"""
    + _STATE
    + _LINE_ITEM
)

REFUNDS = (
    """
query Refunds($id: ID!, $children: Int!, $first: Int!) {
  order(id: $id) {
    ...State
    refunds(first: $children) {
      id
      refundLineItems(first: $first) {
        nodes { quantity restockType restocked lineItem { id } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""
    + _STATE
)

MORE_REFUND_LINES = """
query MoreRefundLines($id: ID!, $first: Int!, $after: String!) {
  node(id: $id) {
    ... on Refund {
      refundLineItems(first: $first, after: $after) {
        nodes { quantity restockType restocked lineItem { id } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""

FULFILMENTS = (
    """
query Fulfilments($id: ID!, $children: Int!, $first: Int!) {
  order(id: $id) {
    ...State
    fulfillments(first: $children) {
      id
      status
      fulfillmentLineItems(first: $first) {
        nodes { quantity lineItem { id } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""
    + _STATE
)

MORE_FULFILMENT_LINES = """
query MoreFulfilmentLines($id: ID!, $first: Int!, $after: String!) {
  node(id: $id) {
    ... on Fulfillment {
      fulfillmentLineItems(first: $first, after: $after) {
        nodes { quantity lineItem { id } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""

CHANGED_ORDERS = (
    """
query ChangedOrders($first: Int!, $after: String, $search: String!) {
  orders(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
    nodes { id ...State }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _STATE
)

SET_AVAILABLE = """
mutation SetAvailable($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup {
      changes(quantityNames: ["available"]) { quantityAfterChange item { id } }
    }
    userErrors { code field message }
  }
}
"""

SUBSCRIPTIONS = """
query Subscriptions($after: String) {
  webhookSubscriptions(first: 250, after: $after) {
    nodes { id topic uri format filter includeFields }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SUBSCRIBE = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    userErrors { field message }
  }
}
"""

MEND_SUBSCRIPTION = """
mutation MendSubscription($id: ID!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $subscription) {
    userErrors { field message }
  }
}
"""

UNSUBSCRIBE = """
mutation Unsubscribe($id: ID!) {
  webhookSubscriptionDelete(id: $id) {
    userErrors { field message }
  }
}
"""

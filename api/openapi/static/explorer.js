// Shows openapi.json in Swagger UI.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#explorer",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // By default the document is sent to a validator on another host.
  validatorUrl: null,
  // A call shows what the API says now: an update may have been asked for since the last one.
  requestInterceptor: (request) => ({ ...request, cache: "no-cache" }),
});

"""Answers of AWS's first minutes and of a busy account, by name: which call gives them, how often, and in which words."""

POLICIES = "The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the following policy is attached: arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
CONFLICT = "Cannot delete entity, must detach all policies first."
BUSY = "Cluster e2e currently has an update in progress"
CONCURRENT = "The request was rejected because multiple requests to change this object were submitted simultaneously."
REFUSED = "User is not authorized to perform: iam:GetRole on resource: role team-role with an explicit deny in a service control policy"
GONE = "The role with name e2e-keda-operator cannot be found."

# name: (service, operation, status, code, message, how often, further)
ANSWERS = {
    "cluster-role-without-policies": ("eks", "CreateCluster", 400, "InvalidParameterException", POLICIES, 1, {}),
    "cluster-role-must-include": ("eks", "CreateCluster", 400, "InvalidParameterException", "IAM role's policy must include the `ec2:DescribeSubnets` action", 1, {}),
    "cluster-role-params": ("eks", "CreateCluster", 400, "InvalidParameterException", "Error in role params", 1, {}),
    "cluster-role-trust": ("eks", "CreateCluster", 400, "InvalidParameterException", "Role could not be assumed because the trusted entity is not correct", 1, {}),
    "cluster-unavailable": ("eks", "CreateCluster", 503, "ServiceUnavailableException", "Service is unavailable", 4, {}),
    "issuer-unreachable": ("iam", "CreateOpenIDConnectProvider", 400, "OpenIdIdpCommunicationError", "IAM cannot connect to the OpenID Connect identity provider", 1, {}),
    "role-concurrent": ("iam", "CreateRole", 409, "ConcurrentModification", CONCURRENT, 1, {}),
    "role-policy-no-entity": ("iam", "PutRolePolicy", 404, "NoSuchEntity", GONE, 1, {}),
    "role-read-no-entity": ("iam", "ListRolePolicies", 404, "NoSuchEntity", GONE, 1, {}),
    # The SDK repeats a call whose answer was lost: it was done, and the second try finds it so.
    "role-already-there": ("iam", "CreateRole", 409, "EntityAlreadyExists", "Role with name already exists.", 1, {"done": True}),
    "profile-in-use": ("eks", "CreateFargateProfile", 409, "ResourceInUseException", BUSY, 1, {}),
    "attach-throttled": ("iam", "AttachRolePolicy", 400, "Throttling", "Rate exceeded", 4, {}),
    "role-delete-conflict": ("iam", "DeleteRole", 409, "DeleteConflict", CONFLICT, 1, {}),
    "role-delete-concurrent": ("iam", "DeleteRole", 409, "ConcurrentModification", CONCURRENT, 1, {}),
    # As often as it is called for: nobody needs that role.
    "foreign-role-refused": ("iam", "GetRole", 403, "AccessDenied", REFUSED, 1000, {"of": "team-role"}),
    "roles-throttled": ("iam", "ListRoles", 400, "Throttling", "Rate exceeded", 3, {}),
    "cluster-protected": ("eks", "DeleteCluster", 400, "InvalidRequestException", "Cluster has deletion protection enabled", 1, {}),
    "profile-delete-in-use": ("eks", "DeleteFargateProfile", 409, "ResourceInUseException", BUSY, 1, {}),
    # The other form of a not-found, where moto has the usual one.
    "cluster-not-found-otherwise": ("eks", "DescribeCluster", 400, "ClientException", "No cluster found for name: e2e.", 1000, {"absent": True}),
}


class Pending:
    """Answers that are still to be given, in the order in which they were asked for."""

    def __init__(self):
        self.waiting, self.given = [], {}

    def add(self, names):
        for name in names:
            service, operation, *rest, times, further = ANSWERS[name]
            self.waiting.append({"name": name, "call": (service, operation), "answer": rest, "times": times, "of": further.get("of"), **further})

    def clear(self):
        self.waiting.clear()

    def take(self, service, operation, text, absent=False):
        """The next answer for this call, or None; of those in place of a not-found if it is one."""
        for one in self.waiting:
            fits = one["of"] is None or one["of"] in text
            if one["call"] == (service, operation) and fits and one.get("absent", False) == absent:
                one["times"] -= 1
                self.given[one["name"]] = self.given.get(one["name"], 0) + 1
                if one["times"] <= 0:
                    self.waiting.remove(one)
                return one
        return None
